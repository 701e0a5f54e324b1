// SPDX-License-Identifier: MIT
//
// All requests share one event that wakes a thread, which looks for those that have ended, as does
// whoever takes completions. Starting a request resets the event, also one that fails at once, so
// it is set again after each start: what ended just before, of another loop, would not be told of.
#include "rio_double.hpp"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

namespace coracle::test {

namespace {

using namespace rio;

[[noreturn]] void stop(const char* why) {
    std::fprintf(stderr, "rio_double: %s\n", why);
    std::fflush(stderr);
    std::abort();
}

struct buffer {
    char* data;
    DWORD size;
    std::size_t uses = 0;
    bool given_up = false; // its requests were under way when their completion queue was closed
};

/// What two threads must not use at once.
struct single_use {
    std::atomic_flag used;
};

class exclusive {
public:
    explicit exclusive(single_use& of) : of_(&of) {
        if (of.used.test_and_set())
            stop("a queue is used by two threads at once");
    }

    ~exclusive() { of_->used.clear(); }

    exclusive(const exclusive&) = delete;
    exclusive& operator=(const exclusive&) = delete;

private:
    single_use* of_;
};

struct completions : single_use {
    DWORD capacity = 0;
    notification how = {};
    bool tells = false;
    bool armed = false;
    std::size_t loud = 0; // of those that have come, without dont_notify
    std::deque<std::pair<completion, bool>> come;
};

struct requests : single_use {
    SOCKET handle = INVALID_SOCKET;
    sockaddr_storage local = {};
    sockaddr_storage peer = {};
    ULONG max_receives = 0;
    ULONG max_sends = 0;
    ULONG receives = 0; // begun or deferred, and not over
    ULONG sends = 0;
    completions* of_receives = nullptr;
    completions* of_sends = nullptr;
    void* context = nullptr;
};

struct request {
    OVERLAPPED overlapped = {}; // stays where it is until the request has ended
    requests* queue = nullptr;
    buffer* bytes = nullptr;
    WSABUF part = {};
    void* context = nullptr;
    DWORD flags = 0;
    bool sends = false;
};

class world {
public:
    world() : event_(::CreateEventW(nullptr, FALSE, FALSE, nullptr)) {
        std::thread([this] {
            for (;;) {
                ::WaitForSingleObject(event_, INFINITE);
                const std::lock_guard guard(lock_);
                collect();
            }
        }).detach();
    }

    BOOL submit(requests* queue, slice* data, ULONG count, DWORD flags, void* context, bool sends);
    completions* make_completions(DWORD size, const notification* how);
    void close(completions* closed);
    requests* make_requests(std::unique_ptr<requests> wanted);
    ULONG dequeue(completions* from, completion* to, ULONG capacity);
    int notify(completions* about);
    buffer* add(char* data, DWORD size);
    void remove(buffer* known);
    BOOL resize(completions* which, DWORD size);
    BOOL resize(requests* which, DWORD max_receives, DWORD max_sends);

    std::size_t buffers() {
        const std::lock_guard guard(lock_);
        return static_cast<std::size_t>(std::count_if(
            buffers_.begin(), buffers_.end(), [](const auto& each) { return !each->given_up; }));
    }

    std::size_t completion_queues() {
        const std::lock_guard guard(lock_);
        return completions_.size();
    }

    std::size_t waiting() {
        const std::lock_guard guard(lock_);
        std::size_t count = 0;
        for (const auto& each : completions_)
            count += each->come.size();
        return count;
    }

    rio_totals totals() {
        const std::lock_guard guard(lock_);
        return totals_;
    }

    rio_limits limits;

private:
    template <class T>
    static bool has(const std::list<std::unique_ptr<T>>& all, const T* one) {
        return std::any_of(all.begin(), all.end(),
                           [one](const auto& each) { return each.get() == one; });
    }

    template <class T>
    static void erase(std::list<std::unique_ptr<T>>& all, const T* one) {
        all.remove_if([one](const auto& each) { return each.get() == one; });
    }

    static BOOL refuse(int why) {
        ::WSASetLastError(why);
        return FALSE;
    }

    void collect();
    void begin(std::unique_ptr<request> begun);
    void commit(requests* queue);
    void finish(request& ended, DWORD status, DWORD bytes);
    static void tell(completions& about);
    DWORD places_taken(const completions* in);
    int refusal_of(const requests& wanted);
    void forget_closed();
    void forget_former(SOCKET handle);
    bool is_used(const requests& one) const;

    std::mutex lock_;
    HANDLE event_;
    std::list<std::unique_ptr<buffer>> buffers_;
    std::list<std::unique_ptr<completions>> completions_;
    std::list<std::unique_ptr<requests>> queues_;
    std::list<std::unique_ptr<request>> under_way_;
    std::list<std::unique_ptr<request>> deferred_;
    rio_totals totals_;
};

world& the_world() {
    static world* const only = new world; // its thread never ends
    return *only;
}

using name_of_end = int(WSAAPI*)(SOCKET, sockaddr*, int*);

/// Zeros if it has none.
sockaddr_storage address_by(name_of_end ask, SOCKET handle) {
    sockaddr_storage found = {};
    int size = sizeof found;
    if (ask(handle, reinterpret_cast<sockaddr*>(&found), &size) != 0)
        found = {};
    return found;
}

bool is_same(const sockaddr_storage& one, const sockaddr_storage& other) {
    return std::memcmp(&one, &other, sizeof one) == 0;
}

bool is_socket(SOCKET handle) {
    int type = 0;
    int size = sizeof type;
    return ::getsockopt(handle, SOL_SOCKET, SO_TYPE, reinterpret_cast<char*>(&type), &size) == 0;
}

BOOL world::submit(requests* queue, slice* data, ULONG count, DWORD flags, void* context,
                   bool sends) {
    {
        const std::lock_guard guard(lock_);
        if (!has(queues_, queue))
            return refuse(WSAEINVAL);
    }
    const exclusive mine(*queue);
    const std::lock_guard guard(lock_);
    if (flags & commit_only) {
        if (flags != commit_only || data || count != 0)
            return refuse(WSAEINVAL);
        commit(queue);
        return TRUE;
    }
    if (count != 1 || !data)
        return refuse(WSAEINVAL);
    auto* const bytes = reinterpret_cast<buffer*>(data->id);
    if (!has(buffers_, bytes) || data->offset > bytes->size ||
        data->length > bytes->size - data->offset)
        return refuse(WSAEINVAL);
    ULONG& outstanding = sends ? queue->sends : queue->receives;
    if (outstanding == (sends ? queue->max_sends : queue->max_receives))
        return refuse(WSAENOBUFS);
    ++outstanding;
    ++bytes->uses;
    ++totals_.requests;
    auto made = std::make_unique<request>();
    made->queue = queue;
    made->bytes = bytes;
    made->part = {data->length, bytes->data + data->offset};
    made->context = context;
    made->flags = flags;
    made->sends = sends;
    deferred_.push_back(std::move(made));
    if (!(flags & defer))
        commit(queue);
    return TRUE;
}

void world::commit(requests* queue) {
    for (auto each = deferred_.begin(); each != deferred_.end();) {
        auto following = std::next(each);
        if ((*each)->queue == queue) {
            std::unique_ptr<request> begun = std::move(*each);
            deferred_.erase(each);
            begin(std::move(begun));
        }
        each = following;
    }
}

void world::begin(std::unique_ptr<request> begun) {
    request& one = *begun;
    // With its lowest bit set, the event keeps packets away from the port that the socket may have.
    one.overlapped.hEvent = reinterpret_cast<HANDLE>(reinterpret_cast<ULONG_PTR>(event_) | 1);
    DWORD flags = one.flags & wait_for_all ? MSG_WAITALL : 0;
    const SOCKET handle = one.queue->handle;
    const int answer =
        one.sends ? ::WSASend(handle, &one.part, 1, nullptr, 0, &one.overlapped, nullptr)
                  : ::WSARecv(handle, &one.part, 1, nullptr, &flags, &one.overlapped, nullptr);
    const int failure = answer == 0 ? 0 : ::WSAGetLastError();
    ::SetEvent(event_);
    if (failure != 0 && failure != WSA_IO_PENDING)
        return finish(one, static_cast<DWORD>(failure), 0);
    under_way_.push_back(std::move(begun)); // before the thread gets the lock
}

void world::collect() {
    for (auto each = under_way_.begin(); each != under_way_.end();) {
        request& one = **each;
        if (!HasOverlappedIoCompleted(&one.overlapped)) {
            ++each;
            continue;
        }
        DWORD bytes = 0;
        DWORD flags = 0;
        DWORD status = ERROR_SUCCESS;
        if (!::WSAGetOverlappedResult(one.queue->handle, &one.overlapped, &bytes, FALSE, &flags))
            status = ::GetLastError();
        finish(one, status, bytes);
        each = under_way_.erase(each);
    }
}

void world::finish(request& ended, DWORD status, DWORD bytes) {
    if (--ended.bytes->uses == 0 && ended.bytes->given_up)
        erase(buffers_, ended.bytes);
    completions* const to = ended.sends ? ended.queue->of_sends : ended.queue->of_receives;
    if (!has(completions_, to))
        return; // dropped without a word, when the queue is closed
    const bool loud = !(ended.flags & dont_notify);
    to->come.push_back({{static_cast<LONG>(status), bytes,
                         static_cast<ULONGLONG>(reinterpret_cast<ULONG_PTR>(ended.queue->context)),
                         static_cast<ULONGLONG>(reinterpret_cast<ULONG_PTR>(ended.context))},
                        loud});
    --(ended.sends ? ended.queue->sends : ended.queue->receives);
    to->loud += loud ? 1 : 0;
    if (loud && to->armed)
        tell(*to);
}

void world::tell(completions& about) {
    about.armed = false;
    if (about.how.kind == notification_kind::port)
        ::PostQueuedCompletionStatus(about.how.port.handle, 0,
                                     reinterpret_cast<ULONG_PTR>(about.how.port.key),
                                     static_cast<OVERLAPPED*>(about.how.port.overlapped));
    else
        ::SetEvent(about.how.event.handle);
}

completions* world::make_completions(DWORD size, const notification* how) {
    const std::lock_guard guard(lock_);
    const bool wrong = how && how->kind == notification_kind::port && !how->port.overlapped;
    if (size == 0 || size > limits.completions || wrong) {
        ::WSASetLastError(wrong || size == 0 ? WSAEINVAL : WSAENOBUFS);
        return nullptr;
    }
    completions_.push_back(std::make_unique<completions>());
    completions* const made = completions_.back().get();
    made->capacity = size;
    made->tells = how != nullptr;
    if (how)
        made->how = *how;
    return made;
}

void world::close(completions* closed) {
    const std::lock_guard guard(lock_);
    for (const auto* const all : {&under_way_, &deferred_}) {
        for (const auto& each : *all) {
            if (each->queue->of_sends == closed || each->queue->of_receives == closed)
                each->bytes->given_up = true;
        }
    }
    erase(completions_, closed);
}

bool world::is_used(const requests& one) const {
    const auto uses = [&one](const auto& each) { return each->queue == &one; };
    return std::any_of(under_way_.begin(), under_way_.end(), uses) ||
           std::any_of(deferred_.begin(), deferred_.end(), uses);
}

/// A request queue ends with its socket. Asking for each takes its time.
void world::forget_closed() {
    collect();
    queues_.remove_if([this](const auto& each) {
        const bool gone = !is_socket(each->handle) ||
                          !is_same(address_by(::getsockname, each->handle), each->local);
        return gone && !is_used(*each);
    });
}

/// A socket with the number of a former one is known by both its ends: all that a listener accepts
/// share the first, and a port may come again.
void world::forget_former(SOCKET handle) {
    collect();
    queues_.remove_if([this, handle](const auto& each) {
        return each->handle == handle && !is_used(*each) &&
               !(is_same(address_by(::getsockname, handle), each->local) &&
                 is_same(address_by(::getpeername, handle), each->peer));
    });
}

DWORD world::places_taken(const completions* in) {
    DWORD taken = 0;
    for (const auto& each : queues_) {
        taken += each->of_receives == in ? each->max_receives : 0;
        taken += each->of_sends == in ? each->max_sends : 0;
    }
    return taken;
}

/// Why a queue like this one cannot be made now; 0 if it can.
int world::refusal_of(const requests& wanted) {
    const auto same = [&wanted](const auto& each) { return each->handle == wanted.handle; };
    if (!is_socket(wanted.handle))
        return WSAENOTSOCK;
    if (wanted.handle == limits.plain)
        return WSAEOPNOTSUPP;
    if (!has(completions_, wanted.of_receives) || !has(completions_, wanted.of_sends) ||
        wanted.max_receives + wanted.max_sends == 0 ||
        std::any_of(queues_.begin(), queues_.end(), same))
        return WSAEINVAL;
    const ULONG more = wanted.of_receives == wanted.of_sends ? wanted.max_sends : 0;
    if (places_taken(wanted.of_receives) + wanted.max_receives + more >
            wanted.of_receives->capacity ||
        places_taken(wanted.of_sends) + wanted.max_sends > wanted.of_sends->capacity)
        return WSAENOBUFS;
    return 0;
}

requests* world::make_requests(std::unique_ptr<requests> wanted) {
    const std::lock_guard guard(lock_);
    forget_former(wanted->handle);
    if (refusal_of(*wanted) == WSAENOBUFS)
        forget_closed();
    const int failure = refusal_of(*wanted);
    if (failure != 0) {
        ::WSASetLastError(failure);
        return nullptr;
    }
    wanted->local = address_by(::getsockname, wanted->handle);
    wanted->peer = address_by(::getpeername, wanted->handle);
    queues_.push_back(std::move(wanted));
    return queues_.back().get();
}

ULONG world::dequeue(completions* from, completion* to, ULONG capacity) {
    const exclusive mine(*from);
    const std::lock_guard guard(lock_);
    if (!has(completions_, from))
        return corrupt_queue;
    collect();
    ULONG count = 0;
    for (; count < capacity && !from->come.empty(); ++count) {
        to[count] = from->come.front().first;
        from->loud -= from->come.front().second ? 1 : 0;
        from->come.pop_front();
    }
    return count;
}

int world::notify(completions* about) {
    {
        const std::lock_guard guard(lock_);
        if (!has(completions_, about) || !about->tells)
            return WSAEINVAL;
    }
    const exclusive mine(*about);
    const std::lock_guard guard(lock_);
    if (about->armed)
        return WSAEALREADY;
    if (about->how.kind == notification_kind::event && about->how.event.reset)
        ::ResetEvent(about->how.event.handle);
    about->armed = true;
    if (about->loud > 0)
        tell(*about);
    return ERROR_SUCCESS;
}

buffer* world::add(char* data, DWORD size) {
    const std::lock_guard guard(lock_);
    if (!data || size == 0 || buffers_.size() >= limits.buffers) {
        ::WSASetLastError(!data || size == 0 ? WSAEFAULT : WSAENOBUFS);
        return nullptr;
    }
    ++totals_.buffers;
    buffers_.push_back(std::make_unique<buffer>());
    *buffers_.back() = {data, size};
    return buffers_.back().get();
}

void world::remove(buffer* known) {
    const std::lock_guard guard(lock_);
    if (!has(buffers_, known))
        return; // as documented, what is not valid is ignored
    if (known->uses > 0)
        stop("a buffer is deregistered while a request uses it");
    erase(buffers_, known);
}

BOOL world::resize(completions* which, DWORD size) {
    const std::lock_guard guard(lock_);
    if (!has(completions_, which))
        return refuse(WSAEINVAL);
    if (size > limits.completions)
        return refuse(WSAENOBUFS);
    if (size < places_taken(which))
        forget_closed();
    if (size < places_taken(which))
        return refuse(WSAEINVAL);
    which->capacity = size;
    return TRUE;
}

BOOL world::resize(requests* which, DWORD max_receives, DWORD max_sends) {
    const std::lock_guard guard(lock_);
    if (!has(queues_, which) || max_receives < which->receives || max_sends < which->sends)
        return refuse(WSAEINVAL);
    const std::pair before(which->max_receives, which->max_sends);
    which->max_receives = max_receives;
    which->max_sends = max_sends;
    if (places_taken(which->of_receives) <= which->of_receives->capacity &&
        places_taken(which->of_sends) <= which->of_sends->capacity)
        return TRUE;
    std::tie(which->max_receives, which->max_sends) = before;
    return refuse(WSAENOBUFS);
}

requests* real(request_queue handle) {
    return reinterpret_cast<requests*>(handle);
}

completions* real(completion_queue handle) {
    return reinterpret_cast<completions*>(handle);
}

// The table.

BOOL PASCAL receive(request_queue to, slice* data, ULONG count, DWORD flags, void* context) {
    return the_world().submit(real(to), data, count, flags, context, false);
}

BOOL PASCAL send(request_queue to, slice* data, ULONG count, DWORD flags, void* context) {
    return the_world().submit(real(to), data, count, flags, context, true);
}

int PASCAL receive_ex(request_queue to, slice* data, ULONG count, slice*, slice*, slice*, slice*,
                      DWORD flags, void* context) {
    return receive(to, data, count, flags, context);
}

BOOL PASCAL send_ex(request_queue to, slice* data, ULONG count, slice*, slice*, slice*, slice*,
                    DWORD flags, void* context) {
    return send(to, data, count, flags, context);
}

void PASCAL close_completion_queue(completion_queue closed) {
    the_world().close(real(closed));
}

completion_queue PASCAL create_completion_queue(DWORD size, notification* how) {
    return reinterpret_cast<completion_queue>(the_world().make_completions(size, how));
}

request_queue PASCAL create_request_queue(SOCKET handle, ULONG max_receives, ULONG receive_buffers,
                                          ULONG max_sends, ULONG send_buffers,
                                          completion_queue of_receives, completion_queue of_sends,
                                          void* context) {
    if (receive_buffers != 1 || send_buffers != 1) {
        ::WSASetLastError(WSAEINVAL);
        return nullptr;
    }
    auto wanted = std::make_unique<requests>();
    wanted->handle = handle;
    wanted->max_receives = max_receives;
    wanted->max_sends = max_sends;
    wanted->of_receives = real(of_receives);
    wanted->of_sends = real(of_sends);
    wanted->context = context;
    return reinterpret_cast<request_queue>(the_world().make_requests(std::move(wanted)));
}

ULONG PASCAL dequeue_completion(completion_queue from, completion* to, ULONG capacity) {
    return the_world().dequeue(real(from), to, capacity);
}

void PASCAL deregister_buffer(buffer_id known) {
    the_world().remove(reinterpret_cast<buffer*>(known));
}

int PASCAL notify(completion_queue about) {
    return the_world().notify(real(about));
}

buffer_id PASCAL register_buffer(char* data, DWORD size) {
    buffer* const made = the_world().add(data, size);
    return made ? reinterpret_cast<buffer_id>(made) : no_buffer;
}

BOOL PASCAL resize_completion_queue(completion_queue which, DWORD size) {
    return the_world().resize(real(which), size);
}

BOOL PASCAL resize_request_queue(request_queue which, DWORD max_receives, DWORD max_sends) {
    return the_world().resize(real(which), max_receives, max_sends);
}

int WSAAPI ioctl_with_table(SOCKET handle, DWORD code, void* in, DWORD in_size, void* out,
                            DWORD out_size, DWORD* count, OVERLAPPED* overlapped,
                            LPWSAOVERLAPPED_COMPLETION_ROUTINE done) {
    if (code != code_of_tables || in_size != sizeof table_name ||
        !IsEqualGUID(*static_cast<const GUID*>(in), table_name))
        return ::WSAIoctl(handle, code, in, in_size, out, out_size, count, overlapped, done);
    if (out_size < sizeof(functions)) {
        ::WSASetLastError(WSAEFAULT);
        return SOCKET_ERROR;
    }
    std::memcpy(out, &rio_double(), sizeof(functions));
    *count = sizeof(functions);
    return 0;
}

} // namespace

void install_rio_double() {
    windows::ioctl = ioctl_with_table;
}

void uninstall_rio_double() {
    windows::ioctl = ::WSAIoctl;
}

const functions& rio_double() {
    static const functions table = {
        sizeof(functions),
        receive,
        receive_ex,
        send,
        send_ex,
        close_completion_queue,
        create_completion_queue,
        create_request_queue,
        dequeue_completion,
        deregister_buffer,
        notify,
        register_buffer,
        resize_completion_queue,
        resize_request_queue,
    };
    return table;
}

rio_limits& rio_double_limits() {
    return the_world().limits;
}

std::size_t rio_double_buffers() {
    return the_world().buffers();
}

std::size_t rio_double_completion_queues() {
    return the_world().completion_queues();
}

std::size_t rio_double_waiting() {
    return the_world().waiting();
}

rio_totals rio_double_totals() {
    return the_world().totals();
}

void check_rio_double() {
    if (the_world().buffers() > 0)
        stop("a buffer is left registered");
    if (the_world().completion_queues() > 0)
        stop("a completion queue is left open");
}

} // namespace coracle::test
