// SPDX-License-Identifier: MIT
//
// kqueue(2) over epoll(7), so that the kqueue backend runs on Linux. An emulation for tests,
// written from FreeBSD's manual page: READ, WRITE, TIMER and USER, with every flag of <sys/event.h>
// here.
//
// A queue's descriptor is that of an epoll instance, and nothing else is open on its behalf: timers
// are deadlines of the wait, and a trigger re-arms one eventfd that the whole process shares and
// that is always readable. epoll, edge-triggered, says when to look; whether a filter holds is
// asked of the descriptor itself when its event is fetched, as kqueue does.
//
// What a BSD does and this does not: tell a socket's error in fflags, and unregister a descriptor
// when it is closed (it is found out when the number is used again). An edge of one direction may
// bring an event of the other, too, if that is ready.
#include "sys/event.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

using kernel_event = struct kevent;
using clock_type = std::chrono::steady_clock;
using moment = std::optional<clock_type::time_point>;

/// One kevent: what (ident, filter) names within a queue.
struct knote {
    kernel_event asked = {};
    bool known = false; // or this entry is unused
    bool enabled = true;
    bool active = false; // something has happened since it was last fetched
    bool queued = false;
    unsigned user_flags = 0;
    bool triggered = false;
    std::chrono::nanoseconds period{0};
    moment due;
};

/// What a filter says of its descriptor.
struct verdict {
    bool holds = false;
    bool ended = false;
    std::int64_t data = 0;
};

// A descriptor of the process, not of a queue, and there before any test counts descriptors.
const int always_readable = ::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);

bool of_descriptor(short filter) {
    return filter == EVFILT_READ || filter == EVFILT_WRITE;
}

verdict look(int descriptor, short filter) {
    const auto wanted = static_cast<short>(filter == EVFILT_READ ? POLLIN | POLLRDHUP : POLLOUT);
    pollfd asked = {descriptor, wanted, 0};
    if (::poll(&asked, 1, 0) <= 0 || (asked.revents & POLLNVAL))
        return {};
    const bool failed = (asked.revents & (POLLHUP | POLLERR)) != 0;
    verdict seen;
    seen.holds = asked.revents != 0;
    seen.ended = failed || (asked.revents & POLLRDHUP);
    int bytes = 0;
    if (filter == EVFILT_READ) {
        // A listener has no bytes, but connections.
        seen.data = ::ioctl(descriptor, FIONREAD, &bytes) == 0 ? bytes : 1;
    } else {
        int buffer_bytes = 0;
        socklen_t size = sizeof buffer_bytes;
        if (::getsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &buffer_bytes, &size) == 0 &&
            ::ioctl(descriptor, TIOCOUTQ, &bytes) == 0)
            seen.data = std::max(buffer_bytes - bytes, 0);
    }
    return seen;
}

class queue {
public:
    explicit queue(int descriptor) : descriptor_(descriptor) {}

    /// Applies one change; 0 or an error number.
    int apply(const kernel_event& change);

    /// Fetches what holds now, at most `capacity` events.
    int fetch(kernel_event* events, int capacity);

    /// Waits for news until `deadline`. False, with errno, if it cannot.
    bool wait(moment deadline);

    std::mutex lock; // held while `apply` or `fetch` is called

private:
    int add(const kernel_event& change);
    int add_timer(knote& note, const kernel_event& change);
    void modify(knote& note, const kernel_event& change);
    void touch_user(knote& note, const kernel_event& change);
    void activate(knote& note);
    [[nodiscard]] knote* find(std::uintptr_t ident, short filter);
    [[nodiscard]] knote& find_or_make(std::uintptr_t ident, short filter);
    void erase(std::uintptr_t ident, short filter);
    void remove(std::uintptr_t ident, short filter);
    int watch(int descriptor);
    [[nodiscard]] int poke() const;
    void expire_timers(clock_type::time_point now);
    [[nodiscard]] moment next_look(moment deadline);
    void note_news(const epoll_event& event);
    [[nodiscard]] static bool describe(const knote& note, kernel_event& event);
    static void note_fetched(knote& note);
    bool fetch_one(knote& note, kernel_event& event);

    int descriptor_;
    int waiting_threads_ = 0;

    // No maps, since steady state must not allocate.
    std::vector<std::array<knote, 2>> of_descriptors_; // READ and WRITE, by the descriptor
    std::vector<knote> others_;
    std::vector<std::pair<std::uintptr_t, short>> queued_; // those that may be fetched
};

/// Has whoever waits look again. 0 or an error number.
int queue::poke() const {
    epoll_event event = {};
    event.events = EPOLLIN | EPOLLET; // arming it once more makes it an edge
    event.data.fd = always_readable;
    return ::epoll_ctl(descriptor_, EPOLL_CTL_MOD, always_readable, &event) == 0 ? 0 : errno;
}

/// Sees to it that epoll tells of this descriptor, which may be another one than that of the same
/// number that it told of before.
int queue::watch(int descriptor) {
    epoll_event event = {};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    event.data.fd = descriptor;
    if (::epoll_ctl(descriptor_, EPOLL_CTL_ADD, descriptor, &event) == 0) {
        const auto number = static_cast<std::uintptr_t>(descriptor);
        erase(number, EVFILT_READ); // of one that has been closed
        erase(number, EVFILT_WRITE);
        return 0;
    }
    if (errno == EEXIST)
        return 0;
    return errno == EPERM ? EINVAL : errno;
}

knote* queue::find(std::uintptr_t ident, short filter) {
    if (of_descriptor(filter)) {
        if (ident >= of_descriptors_.size())
            return nullptr;
        knote& found = of_descriptors_[ident][filter == EVFILT_READ ? 0 : 1];
        return found.known ? &found : nullptr;
    }
    const auto found = std::find_if(others_.begin(), others_.end(), [&](const knote& each) {
        return each.asked.ident == ident && each.asked.filter == filter;
    });
    return found == others_.end() ? nullptr : &*found;
}

knote& queue::find_or_make(std::uintptr_t ident, short filter) {
    if (knote* const found = find(ident, filter))
        return *found;
    if (!of_descriptor(filter))
        return others_.emplace_back();
    if (ident >= of_descriptors_.size())
        of_descriptors_.resize(ident + 1);
    return of_descriptors_[ident][filter == EVFILT_READ ? 0 : 1];
}

void queue::erase(std::uintptr_t ident, short filter) {
    knote* const found = find(ident, filter);
    if (!found)
        return;
    if (found->queued)
        std::erase(queued_, std::pair(ident, filter));
    if (of_descriptor(filter))
        *found = knote();
    else
        others_.erase(others_.begin() + (found - others_.data()));
}

void queue::activate(knote& note) {
    note.active = true;
    if (!std::exchange(note.queued, true))
        queued_.emplace_back(note.asked.ident, note.asked.filter);
}

void queue::remove(std::uintptr_t ident, short filter) {
    erase(ident, filter);
    if (of_descriptor(filter) && !find(ident, EVFILT_READ) && !find(ident, EVFILT_WRITE))
        ::epoll_ctl(descriptor_, EPOLL_CTL_DEL, static_cast<int>(ident), nullptr);
}

int queue::add_timer(knote& note, const kernel_event& change) {
    if (change.data < 0)
        return EINVAL;
    std::chrono::nanoseconds period = std::chrono::milliseconds(change.data);
    if (change.fflags & NOTE_SECONDS)
        period = std::chrono::seconds(change.data);
    else if (change.fflags & NOTE_USECONDS)
        period = std::chrono::microseconds(change.data);
    else if (change.fflags & NOTE_NSECONDS)
        period = std::chrono::nanoseconds(change.data);
    note.period = std::max(period, std::chrono::nanoseconds(1));
    note.due = clock_type::now() + note.period;
    note.asked.data = 0;
    note.active = false;
    return 0;
}

void queue::touch_user(knote& note, const kernel_event& change) {
    const unsigned given = change.fflags & NOTE_FFLAGSMASK;
    switch (change.fflags & NOTE_FFCTRLMASK) {
    case NOTE_FFAND:
        note.user_flags &= given;
        break;
    case NOTE_FFOR:
        note.user_flags |= given;
        break;
    case NOTE_FFCOPY:
        note.user_flags = given;
        break;
    default:
        break;
    }
    if (change.fflags & NOTE_TRIGGER)
        note.triggered = true;
    if (note.triggered)
        activate(note);
}

int queue::add(const kernel_event& change) {
    if (of_descriptor(change.filter)) {
        if (const int refused = watch(static_cast<int>(change.ident)))
            return refused;
    } else if (change.filter != EVFILT_TIMER && change.filter != EVFILT_USER) {
        return EINVAL;
    }
    knote& note = find_or_make(change.ident, change.filter);
    note.asked = change;
    note.known = true;
    note.enabled = true;
    if (of_descriptor(change.filter))
        activate(note); // the filter is run when it is fetched
    if (change.filter != EVFILT_TIMER)
        return 0;
    const int refused = add_timer(note, change);
    if (refused != 0)
        erase(change.ident, change.filter);
    return refused;
}

void queue::modify(knote& note, const kernel_event& change) {
    if (change.filter == EVFILT_USER)
        touch_user(note, change);
    if (change.flags & EV_ENABLE) {
        note.enabled = true;
        if (note.active || of_descriptor(change.filter))
            activate(note);
    }
    if (change.flags & EV_DISABLE)
        note.enabled = false;
}

int queue::apply(const kernel_event& change) {
    if (change.flags & EV_ADD) {
        if (const int refused = add(change))
            return refused;
    }
    knote* const found = find(change.ident, change.filter);
    if (!found)
        return ENOENT;
    if (change.flags & EV_DELETE)
        remove(change.ident, change.filter);
    else
        modify(*found, change);
    return waiting_threads_ > 0 ? poke() : 0;
}

void queue::expire_timers(clock_type::time_point now) {
    for (knote& note : others_) {
        if (!note.due || *note.due > now)
            continue;
        const bool once = (note.asked.flags & EV_ONESHOT) != 0;
        const auto count = once ? 1 : (now - *note.due) / note.period + 1;
        note.asked.data += count;
        activate(note);
        if (once)
            note.due.reset();
        else
            *note.due += count * note.period;
    }
}

/// Until when to wait before looking again.
moment queue::next_look(moment deadline) {
    const auto now = clock_type::now();
    expire_timers(now);
    if (!queued_.empty())
        return now;
    moment earliest = deadline;
    for (const knote& note : others_) {
        if (note.due && note.enabled && (!earliest || *note.due < *earliest))
            earliest = note.due;
    }
    return earliest;
}

/// Whether the filter holds, and the event that tells so.
bool queue::describe(const knote& note, kernel_event& event) {
    event = note.asked;
    event.flags &= static_cast<unsigned short>(~(EV_ADD | EV_ENABLE | EV_DISABLE | EV_RECEIPT));
    if (event.filter == EVFILT_USER) {
        event.fflags = note.user_flags;
        return note.triggered;
    }
    if (event.filter == EVFILT_TIMER)
        return event.data > 0;
    const verdict seen = look(static_cast<int>(event.ident), event.filter);
    event.fflags = 0;
    event.data = seen.data;
    if (seen.ended)
        event.flags |= static_cast<unsigned short>(EV_EOF);
    return seen.holds;
}

/// What fetching does to an event that is to be told of again.
void queue::note_fetched(knote& note) {
    const bool is_timer = note.asked.filter == EVFILT_TIMER;
    if ((note.asked.flags & EV_CLEAR) || is_timer) {
        note.active = false;
        note.triggered = false;
        note.user_flags = 0;
        if (is_timer)
            note.asked.data = 0;
    }
    if (note.asked.flags & EV_DISPATCH)
        note.enabled = false;
}

/// Whether there is an event of it to be told of now.
bool queue::fetch_one(knote& note, kernel_event& event) {
    if (!note.active || !note.enabled)
        return false;
    if (!describe(note, event)) {
        note.active = false;
        return false;
    }
    if (note.asked.flags & EV_ONESHOT)
        remove(event.ident, event.filter);
    else
        note_fetched(note);
    return true;
}

int queue::fetch(kernel_event* events, int capacity) {
    expire_timers(clock_type::now());
    const std::size_t waiting = queued_.size();
    std::size_t seen = 0;
    int count = 0;
    for (; seen < waiting && count < capacity && !queued_.empty(); ++seen) {
        const auto [ident, filter] = queued_.front();
        queued_.erase(queued_.begin());
        knote& note = *find(ident, filter);
        note.queued = false;
        if (!fetch_one(note, events[count]))
            continue;
        ++count;
        knote* const left = find(ident, filter);
        if (left && left->active && left->enabled)
            activate(*left); // what still holds is told of again
    }
    return count;
}

void queue::note_news(const epoll_event& event) {
    constexpr std::uint32_t over = EPOLLHUP | EPOLLERR;
    const auto number = static_cast<std::uintptr_t>(event.data.fd);
    const auto told_of = [&](short filter) {
        if (knote* const found = find(number, filter))
            activate(*found);
    };
    if (event.events & (EPOLLIN | EPOLLRDHUP | over))
        told_of(EVFILT_READ);
    if (event.events & (EPOLLOUT | over))
        told_of(EVFILT_WRITE);
}

bool queue::wait(moment deadline) {
    std::unique_lock locked(lock);
    const moment until = next_look(deadline);
    timespec limit = {};
    if (until) {
        const std::chrono::nanoseconds left =
            std::max<std::chrono::nanoseconds>(*until - clock_type::now(), {});
        limit.tv_sec = std::chrono::duration_cast<std::chrono::seconds>(left).count();
        limit.tv_nsec = (left % std::chrono::seconds(1)).count();
    }
    ++waiting_threads_;
    locked.unlock();
    std::array<epoll_event, 256> news;
    const int count = ::epoll_pwait2(descriptor_, news.data(), static_cast<int>(news.size()),
                                     until ? &limit : nullptr, nullptr);
    const int error = errno;
    locked.lock();
    --waiting_threads_;
    for (int i = 0; i < count; ++i)
        note_news(news[static_cast<std::size_t>(i)]);
    errno = error;
    return count >= 0;
}

// Queues are found by their descriptor. One that was closed stays until its number comes again.
std::mutex all_lock;
std::map<int, std::shared_ptr<queue>> all;

int fail(int error) {
    errno = error;
    return -1;
}

std::shared_ptr<queue> find_queue(int descriptor) {
    const std::lock_guard locked(all_lock);
    const auto found = all.find(descriptor);
    return found == all.end() ? nullptr : found->second;
}

/// Applies changes, and gives the number of receipts and errors that it has put into `events`; -1,
/// with errno, for an error that does not fit into `events`.
int apply_all(queue& target, const kernel_event* changes, int change_count, kernel_event* events,
              int event_count) {
    const std::lock_guard locked(target.lock);
    int receipts = 0;
    for (int i = 0; i < change_count; ++i) {
        kernel_event change = changes[i]; // a copy, since the two arrays may be the same
        const int refused = target.apply(change);
        if (refused == 0 && !(change.flags & EV_RECEIPT))
            continue;
        if (receipts == event_count)
            return refused == 0 ? receipts : fail(refused);
        change.flags = EV_ERROR;
        change.data = refused;
        events[receipts++] = change;
    }
    return receipts;
}

/// As the manual says, a day at most.
clock_type::duration length_of(const timespec& limit) {
    constexpr std::chrono::nanoseconds day = std::chrono::hours(24);
    if (std::chrono::seconds(limit.tv_sec) >= day)
        return day;
    return std::chrono::seconds(limit.tv_sec) + std::chrono::nanoseconds(limit.tv_nsec);
}

} // namespace

int kqueue() noexcept {
    const int descriptor = ::epoll_create1(EPOLL_CLOEXEC);
    if (descriptor < 0)
        return -1;
    epoll_event event = {};
    event.events = EPOLLIN | EPOLLET;
    event.data.fd = always_readable;
    if (::epoll_ctl(descriptor, EPOLL_CTL_ADD, always_readable, &event) != 0) {
        ::close(descriptor);
        return fail(ENOMEM);
    }
    const std::lock_guard locked(all_lock);
    all[descriptor] = std::make_shared<queue>(descriptor);
    return descriptor;
}

int kevent(int queue_descriptor, const kernel_event* changes, int change_count,
           kernel_event* events, int event_count, const timespec* limit) noexcept {
    constexpr long second_ns = 1'000'000'000;
    if (limit && (limit->tv_sec < 0 || limit->tv_nsec < 0 || limit->tv_nsec >= second_ns))
        return fail(EINVAL);
    const std::shared_ptr<queue> known = find_queue(queue_descriptor);
    if (!known)
        return fail(EBADF);
    const int receipts = apply_all(*known, changes, change_count, events, event_count);
    if (receipts != 0 || event_count == 0)
        return receipts;
    moment deadline;
    if (limit)
        deadline = clock_type::now() + length_of(*limit);
    for (;;) {
        if (!known->wait(deadline))
            return -1;
        const std::lock_guard locked(known->lock);
        const int count = known->fetch(events, event_count);
        if (count > 0 || (deadline && clock_type::now() >= *deadline))
            return count;
    }
}
