// SPDX-License-Identifier: MIT
//
// Registered I/O where it is missing, or a part of it, or where buffers or queues run out; and the
// double itself on which the other tests of the backend run.

#include "child_process.hpp"
#include "clean_run.hpp"
#include "collected_warnings.hpp"
#include "connected.hpp"

#include "windows/rio_double.hpp"

#include <array>
#include <coracle/coracle.hpp>
#include <coracle/io/windows/rio.hpp>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <string>
#include <thread>
#include <utility>

using namespace coracle;
using namespace coracle::test;
using namespace std::string_view_literals;

namespace {

/// What WSAIoctl is led to, and CORACLE_BACKEND, are as before when it goes.
class set_up {
public:
    explicit set_up(bool with_double) : backend_(text_of(std::getenv("CORACLE_BACKEND"))) {
        with_double ? install_rio_double() : uninstall_rio_double();
        choose("");
    }

    ~set_up() {
        windows::ioctl = before_;
        rio_double_limits() = limits_;
        choose(backend_);
    }

    set_up(const set_up&) = delete;
    set_up& operator=(const set_up&) = delete;

private:
    static std::string text_of(const char* text) { return text ? text : ""; }

    static void choose(const std::string& name) {
        static_cast<void>(::_putenv_s("CORACLE_BACKEND", name.c_str()));
    }

    decltype(windows::ioctl) before_ = windows::ioctl;
    rio_limits limits_ = rio_double_limits();
    std::string backend_;
};

context_options on_rio() {
    context_options options;
    options.backend = "rio";
    return options;
}

/// The double's functions, for a test to change.
rio::functions table_of_test;

int WSAAPI ioctl_of_test(SOCKET handle, DWORD code, void* in, DWORD in_size, void* out,
                         DWORD out_size, DWORD* count, OVERLAPPED* overlapped,
                         LPWSAOVERLAPPED_COMPLETION_ROUTINE done) {
    if (code != rio::code_of_tables)
        return ::WSAIoctl(handle, code, in, in_size, out, out_size, count, overlapped, done);
    std::memcpy(out, &table_of_test, sizeof table_of_test);
    return 0;
}

bool queues_are_full = false;

BOOL PASCAL receive_unless_full(rio::request_queue to, rio::slice* data, ULONG count, DWORD flags,
                                void* context) {
    ::SetLastError(WSAENOBUFS);
    return !queues_are_full && rio_double().receive(to, data, count, flags, context);
}

BOOL PASCAL send_unless_full(rio::request_queue to, rio::slice* data, ULONG count, DWORD flags,
                             void* context) {
    ::SetLastError(WSAENOBUFS);
    return !queues_are_full && rio_double().send(to, data, count, flags, context);
}

/// What happens between the last look into a completion queue and the call that asks for notice.
std::function<void()> before_notify;

int PASCAL late_notify(rio::completion_queue about) {
    if (const auto happens = std::exchange(before_notify, nullptr))
        happens();
    return rio_double().notify(about);
}

task<> echo_over(connection& ends) {
    co_await ends.here.write("there"sv);
    const std::string there = co_await read_text(ends.there, 5);
    CHECK(there == "there");
    co_await ends.there.write("here!"sv);
    const std::string here = co_await read_text(ends.here, 5);
    CHECK(here == "here!");
}

} // namespace

TEST_CASE("rio: where the system has none, the completion port is used, and why is said once") {
    const set_up missing(false);
    CHECK(rio::table_name.Data1 == 0x8509e081);
    const backend_status status = probe_backend("rio");
    CHECK_FALSE(status.works);
    CHECK(status.reason.find("error 10045") != std::string::npos); // as Wine answers
    const collected_warnings warnings;
    for (int i = 0; i < 2; ++i) {
        const context chosen;
        CHECK(chosen.backend_name() == "iocp");
        CHECK(chosen.backend_reason().find(status.reason) != std::string::npos);
    }
    REQUIRE(warnings.all().size() == 1);
    CHECK(warnings.all()[0].find("using iocp: rio does not work here") != std::string::npos);
}

TEST_CASE("rio: where it works it is the first choice, and bytes go through it") {
    const set_up present(true);
    const std::size_t before = rio_double_totals().requests;
    run_clean([]() -> task<> {
        CHECK(context::current().backend_name() == "rio");
        connection ends = co_await connect_ends();
        co_await echo_over(ends);
    });
    CHECK(rio_double_totals().requests == before + 2 + 4); // those of the probe, and of the echo
    CHECK(rio_double_buffers() == 0);
    CHECK(rio_double_completion_queues() == 0);
}

TEST_CASE("rio: a function that is missing from the table is named") {
    const set_up present(true);
    windows::ioctl = ioctl_of_test;
    using rio::functions;
    const std::array<std::pair<std::size_t, const char*>, 10> needed = {{
        {offsetof(functions, receive), "RIOReceive "},
        {offsetof(functions, send), "RIOSend "},
        {offsetof(functions, close_completion_queue), "RIOCloseCompletionQueue "},
        {offsetof(functions, create_completion_queue), "RIOCreateCompletionQueue "},
        {offsetof(functions, create_request_queue), "RIOCreateRequestQueue "},
        {offsetof(functions, dequeue_completion), "RIODequeueCompletion "},
        {offsetof(functions, register_buffer), "RIORegisterBuffer "},
        {offsetof(functions, deregister_buffer), "RIODeregisterBuffer "},
        {offsetof(functions, notify), "RIONotify "},
        {offsetof(functions, resize_completion_queue), "RIOResizeCompletionQueue "},
    }};
    for (const auto& [offset, name] : needed) {
        table_of_test = rio_double();
        std::memset(reinterpret_cast<std::byte*>(&table_of_test) + offset, 0, sizeof(void*));
        const backend_status status = probe_backend("rio");
        CHECK_FALSE(status.works);
        CHECK(status.reason.find(name) != std::string::npos);
    }
}

TEST_CASE("rio: where no buffer can be registered it does not work, and says so") {
    const set_up present(true);
    rio_double_limits().buffers = 0;
    const backend_status status = probe_backend("rio");
    CHECK_FALSE(status.works);
    CHECK(status.reason.find("it takes no request") != std::string::npos);
}

TEST_CASE("rio: more sockets than the completion queue has places for go by the port") {
    const set_up present(true);
    rio_double_limits().completions = 64; // for 32 sockets
    const collected_warnings warnings;
    const auto body = []() -> task<> {
        std::deque<connection> all;
        for (int i = 0; i < 20; ++i)
            all.push_back(co_await connect_ends());
        for (int round = 0; round < 2; ++round) {
            for (connection& each : all)
                co_await echo_over(each);
        }
    };
    run_clean(body, on_rio());
    REQUIRE(warnings.all().size() == 1);
    CHECK(warnings.all()[0].find("a queue for 64 completions is full") != std::string::npos);
}

TEST_CASE("rio: the completion queue grows with the sockets") {
    const set_up present(true);
    const std::size_t before = rio_double_totals().requests;
    const auto body = []() -> task<> {
        std::deque<connection> all;
        for (int i = 0; i < 40; ++i)
            all.push_back(co_await connect_ends());
        for (connection& each : all)
            co_await echo_over(each);
    };
    run_clean(body, on_rio());
    CHECK(rio_double_totals().requests == before + 2 + std::size_t{40} * 4);
}

TEST_CASE("rio: reads for which no more can be registered go by the port, and lose nothing") {
    const set_up present(true);
    rio_double_limits().buffers = 1; // a registration of 64 buffers
    const auto body = []() -> task<> {
        std::deque<connection> all;
        for (int i = 0; i < 70; ++i)
            all.push_back(co_await connect_ends());
        std::size_t received = 0;
        auto reading = [&](tcp_stream& from) -> task<> {
            const std::string text = co_await read_text(from, 5);
            received += text == "bytes" ? 1 : 0;
        };
        auto group_body = [&](task_group& group) -> task<> {
            for (connection& each : all)
                group.start(reading, std::ref(each.here));
            co_await iterations();
            for (connection& each : all)
                send_raw(each.there, "bytes");
        };
        co_await with_task_group(group_body);
        CHECK(received == all.size());
    };
    run_clean(body, on_rio());
}

TEST_CASE("rio: where a request queue is full the request goes by the port") {
    const set_up present(true);
    table_of_test = rio_double();
    table_of_test.receive = receive_unless_full;
    table_of_test.send = send_unless_full;
    windows::ioctl = ioctl_of_test;
    const auto body = []() -> task<> {
        connection ends = co_await connect_ends();
        for (const bool full : {false, true, false}) {
            const std::size_t before = rio_double_totals().requests;
            queues_are_full = full;
            co_await echo_over(ends);
            CHECK(rio_double_totals().requests == before + (full ? 0 : 4));
        }
    };
    run_clean(body, on_rio());
}

TEST_CASE("rio: what comes between the last look and the request for warning wakes the loop") {
    const set_up present(true);
    table_of_test = rio_double();
    table_of_test.notify = late_notify;
    windows::ioctl = ioctl_of_test;
    const auto body = []() -> task<> {
        connection ends = co_await connect_ends();
        for (int round = 0; round < 3; ++round) {
            before_notify = [&ends] {
                send_raw(ends.there, "late");
                while (rio_double_waiting() == 0)
                    std::this_thread::yield();
            };
            const std::string text = co_await read_text(ends.here, 4);
            CHECK(text == "late");
            CHECK_FALSE(before_notify);
        }
    };
    run_clean(body, on_rio());
}

TEST_CASE("rio: a socket that was not opened for it goes by the port") {
    const set_up present(true);
    const std::size_t before = rio_double_totals().requests;
    const auto body = []() -> task<> {
        tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
        tcp_stream here = tcp_stream::adopt(connect_raw(listener.local_address()));
        rio_double_limits().plain = static_cast<SOCKET>(here.handle());
        tcp_stream there = co_await listener.accept();
        send_raw(there, "bytes");
        const std::string text = co_await read_text(here, 5);
        CHECK(text == "bytes");
    };
    run_clean(body, on_rio());
    CHECK(rio_double_totals().requests == before + 2);
}

TEST_CASE("rio: what a cancelled read has asked for is the next one's, of whatever size") {
    const set_up present(true);
    const std::size_t before = rio_double_totals().requests;
    const auto body = []() -> task<> {
        connection ends = co_await connect_ends();
        std::string text(100, '\0');
        const auto count = co_await cancel_at(moment::while_pending, read_text(ends.here, 100));
        CHECK(count.error() == std::errc::operation_canceled);
        send_raw(ends.there, "0123456789");
        const std::string first = co_await read_text(ends.here, 4);
        const std::string second = co_await read_text(ends.here, 6);
        CHECK(first + second == "0123456789");
        const auto again = co_await cancel_at(moment::while_pending, read_text(ends.here, 1));
        CHECK_FALSE(again.has_value());
    };
    run_clean(body, on_rio());
    CHECK(rio_double_totals().requests == before + 2 + 2);
    CHECK(rio_double_buffers() == 0); // also of the request that ended with its socket
}

namespace {

/// A socket for the double, its peer, and a completion queue without a port.
struct double_fixture {
    explicit double_fixture(DWORD places = 4) {
        windows::start_winsock();
        listener = tcp_listener::bind(address::loopback_v4(0));
        here = tcp_stream::adopt(connect_raw(listener.local_address()));
        there = windows::owned_socket(
            ::accept(static_cast<SOCKET>(listener.handle()), nullptr, nullptr));
        event = ::CreateEventW(nullptr, FALSE, FALSE, nullptr);
        rio::notification how = {};
        how.kind = rio::notification_kind::event;
        how.event.handle = event;
        completions = table.create_completion_queue(places, &how);
        REQUIRE(completions);
        region = table.register_buffer(bytes.data(), static_cast<DWORD>(bytes.size()));
        REQUIRE(region != rio::no_buffer);
    }

    ~double_fixture() {
        here.close();
        table.close_completion_queue(completions);
        table.deregister_buffer(region);
        ::CloseHandle(event);
    }

    double_fixture(const double_fixture&) = delete;
    double_fixture& operator=(const double_fixture&) = delete;

    [[nodiscard]] rio::request_queue queue(ULONG receives, ULONG sends) {
        return table.create_request_queue(static_cast<SOCKET>(here.handle()), receives, 1, sends, 1,
                                          completions, completions, nullptr);
    }

    bool post(rio::request_queue to, bool send, ULONG offset, ULONG size, DWORD flags = 0) {
        rio::slice part = {region, offset, size};
        return send ? table.send(to, &part, 1, flags, nullptr)
                    : table.receive(to, &part, 1, flags, nullptr);
    }

    const rio::functions& table = rio_double();
    tcp_listener listener;
    tcp_stream here;
    windows::owned_socket there;
    HANDLE event = nullptr;
    rio::completion_queue completions = nullptr;
    std::array<char, 64> bytes = {};
    rio::buffer_id region = rio::no_buffer;
};

} // namespace

TEST_CASE("rio double: a notification is one-shot, and there is one at a time") {
    double_fixture fixture;
    const rio::request_queue queue = fixture.queue(1, 1);
    REQUIRE(queue);
    CHECK(fixture.table.notify(fixture.completions) == ERROR_SUCCESS);
    CHECK(fixture.table.notify(fixture.completions) == WSAEALREADY);
    REQUIRE(fixture.post(queue, true, 0, 4));
    CHECK(::WaitForSingleObject(fixture.event, 10'000) == WAIT_OBJECT_0);
    rio::completion come = {};
    CHECK(fixture.table.dequeue_completion(fixture.completions, &come, 1) == 1);
    CHECK(come.bytes == 4);
    REQUIRE(fixture.post(queue, true, 0, 4));
    while (fixture.table.dequeue_completion(fixture.completions, &come, 1) == 0)
        std::this_thread::yield();
    CHECK(::WaitForSingleObject(fixture.event, 0) == WAIT_TIMEOUT); // nobody asked again
    REQUIRE(fixture.post(queue, true, 0, 4));
    while (rio_double_waiting() == 0)
        std::this_thread::yield();
    CHECK(fixture.table.notify(fixture.completions) == ERROR_SUCCESS);
    CHECK(::WaitForSingleObject(fixture.event, 0) == WAIT_OBJECT_0); // it had come before
}

TEST_CASE("rio double: what is deferred starts when it is committed") {
    double_fixture fixture;
    const rio::request_queue queue = fixture.queue(1, 2);
    REQUIRE(queue);
    fixture.bytes[0] = 'a';
    fixture.bytes[1] = 'b';
    REQUIRE(fixture.post(queue, true, 0, 1, rio::defer));
    u_long arrived = 0;
    REQUIRE(::ioctlsocket(fixture.there.get(), static_cast<long>(FIONREAD), &arrived) == 0);
    CHECK(arrived == 0);
    CHECK_FALSE(fixture.table.send(queue, nullptr, 0, rio::commit_only | rio::defer, nullptr));
    REQUIRE(fixture.table.send(queue, nullptr, 0, rio::commit_only, nullptr));
    char got = 0;
    CHECK(::recv(fixture.there.get(), &got, 1, 0) == 1);
    CHECK(got == 'a');
}

TEST_CASE("rio double: a slice lies within its buffer, and a queue holds what it was made for") {
    double_fixture fixture;
    const rio::request_queue queue = fixture.queue(1, 1);
    REQUIRE(queue);
    CHECK_FALSE(fixture.post(queue, false, 60, 5));
    CHECK(::GetLastError() == WSAEINVAL);
    CHECK_FALSE(fixture.post(queue, false, 65, 0));
    REQUIRE(fixture.post(queue, false, 60, 4));
    CHECK_FALSE(fixture.post(queue, false, 0, 4));
    CHECK(::GetLastError() == WSAENOBUFS);
    CHECK(fixture.queue(1, 1) == nullptr); // a socket has one
    CHECK(::GetLastError() == WSAEINVAL);
    ::send(fixture.there.get(), "x", 1, 0); // so that nothing is under way at the end
    rio::completion come = {};
    while (fixture.table.dequeue_completion(fixture.completions, &come, 1) == 0)
        std::this_thread::yield();
    CHECK(fixture.bytes[60] == 'x');
}

TEST_CASE("rio double: a completion queue has places for so many requests, and can be resized") {
    double_fixture fixture(2);
    CHECK(fixture.queue(2, 1) == nullptr);
    CHECK(::GetLastError() == WSAENOBUFS);
    REQUIRE(fixture.table.resize_completion_queue(fixture.completions, 3));
    CHECK(fixture.queue(2, 1) != nullptr);
    CHECK_FALSE(fixture.table.resize_completion_queue(fixture.completions, 2));
}

TEST_CASE("rio double: a socket may have the number and the address of a former one") {
    double_fixture fixture;
    SOCKET former = INVALID_SOCKET;
    for (int round = 0; round < 3; ++round) {
        const tcp_stream peer = tcp_stream::adopt(connect_raw(fixture.listener.local_address()));
        const windows::owned_socket accepted(
            ::accept(static_cast<SOCKET>(fixture.listener.handle()), nullptr, nullptr));
        if (round > 0)
            REQUIRE(accepted.get() == former);
        former = accepted.get();
        CHECK(fixture.table.create_request_queue(former, 1, 1, 1, 1, fixture.completions,
                                                 fixture.completions, nullptr));
    }
}

TEST_CASE("rio double: a buffer that is deregistered too early, or never, stops the program") {
    const child_outcome early = in_child_process([] {
        double_fixture fixture;
        static_cast<void>(fixture.post(fixture.queue(1, 1), false, 0, 4));
        fixture.table.deregister_buffer(fixture.region);
    });
    CHECK(early.said("a buffer is deregistered while a request uses it"));
    const child_outcome never = in_child_process([] {
        static std::array<char, 64> bytes;
        static_cast<void>(rio_double().register_buffer(bytes.data(), 64));
        check_rio_double();
    });
    CHECK(never.said("a buffer is left registered"));
    const child_outcome open = in_child_process([] {
        static_cast<void>(rio_double().create_completion_queue(1, nullptr));
        check_rio_double();
    });
    CHECK(open.said("a completion queue is left open"));
}
