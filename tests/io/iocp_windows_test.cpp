// SPDX-License-Identifier: MIT
//
// What Windows alone can get wrong: its codes, handles that are no sockets, functions that are
// missing at run time, and console events.

#include "clean_run.hpp"
#include "connected.hpp"
#include "kernel_loop.hpp"

#include <coracle/coracle.hpp>
#include <coracle/io/windows/winsock.hpp>
#include <csignal>
#include <string>

using namespace coracle;
using namespace coracle::test;
using namespace std::string_view_literals;

namespace {

/// Has WSAIoctl refuse what asks for one function, as a system without it does.
class missing_function {
public:
    explicit missing_function(const GUID& missing) {
        guid = missing;
        windows::ioctl = refuse;
    }

    ~missing_function() { windows::ioctl = ::WSAIoctl; }

    missing_function(const missing_function&) = delete;
    missing_function& operator=(const missing_function&) = delete;

private:
    static int WSAAPI refuse(SOCKET handle, DWORD code, void* in, DWORD in_size, void* out,
                             DWORD out_size, DWORD* count, OVERLAPPED* overlapped,
                             LPWSAOVERLAPPED_COMPLETION_ROUTINE done) {
        if (in_size == sizeof guid && IsEqualGUID(*static_cast<const GUID*>(in), guid)) {
            ::WSASetLastError(WSAEOPNOTSUPP);
            return SOCKET_ERROR;
        }
        return ::WSAIoctl(handle, code, in, in_size, out, out_size, count, overlapped, done);
    }

    static inline GUID guid = {};
};

} // namespace

TEST_CASE("windows: a code of Winsock compares equal to its counterpart and keeps its number") {
    const std::error_code reset = windows::error_of(WSAECONNRESET);
    CHECK(reset == std::errc::connection_reset);
    CHECK(reset != std::errc::connection_aborted);
    CHECK(reset.value() == 10054);
    CHECK(windows::error_of(ERROR_NETNAME_DELETED) == std::errc::connection_reset);
    CHECK(windows::error_of(ERROR_OPERATION_ABORTED) == std::errc::operation_canceled);
    CHECK_FALSE(reset.message().empty());
}

TEST_CASE("windows: a code without a counterpart is passed on and compares equal to nothing") {
    constexpr DWORD unknown = 424'242;
    const std::error_code passed = windows::error_of(unknown);
    CHECK(passed.value() == unknown);
    CHECK(passed.message() == "error 424242 of Windows");
    for (int number = 0; number < 200; ++number)
        CHECK(passed != static_cast<std::errc>(number));
    // The same number as an errno has nothing to do with it.
    CHECK(windows::error_of(EXDEV) != std::errc::cross_device_link);
}

TEST_CASE("iocp: a handle that is a file, or none at all, is an error at its first use") {
    run_clean([]() -> task<> {
        std::string text(5, '\0');
        tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
        const native_handle closed = connect_raw(listener.local_address());
        close_raw(closed);
        {
            tcp_stream gone = tcp_stream::adopt(closed);
            const auto count = co_await as_result(gone.read(text));
            CHECK_FALSE(count.has_value());
            CHECK((count.error() == std::errc::bad_file_descriptor ||
                   count.error() == std::errc::not_a_socket));
        }
        wchar_t name[MAX_PATH] = {};
        ::GetModuleFileNameW(nullptr, name, MAX_PATH);
        for (const DWORD flags : {DWORD{0}, DWORD{FILE_FLAG_OVERLAPPED}}) {
            const HANDLE file = ::CreateFileW(name, GENERIC_READ, FILE_SHARE_READ, nullptr,
                                              OPEN_EXISTING, flags, nullptr);
            REQUIRE(file != INVALID_HANDLE_VALUE);
            tcp_stream no_socket = tcp_stream::adopt(reinterpret_cast<native_handle>(file));
            const auto count = co_await as_result(no_socket.read(text));
            CHECK(count.error() == std::errc::not_a_socket);
            ::CloseHandle(reinterpret_cast<HANDLE>(no_socket.release()));
        }
    });
}

TEST_CASE("iocp: a socket that cannot leave its port is refused by the next loop, and named") {
    if (sockets_can_move())
        return;
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        co_await ends.here.write("x"sv);
        tcp_stream again = tcp_stream::adopt(ends.here.release());
        static std::string noticed;
        const warning_handler before = set_warning_handler(
            [](std::string_view text) noexcept { noticed = std::string(text); });
        const auto written = co_await as_result(again.write("y"sv));
        set_warning_handler(before);
        CHECK(written.error() == std::errc::operation_not_supported);
        CHECK(noticed.find("iocp does not support write") != std::string::npos);
    });
}

TEST_CASE("iocp: a cancelled operation stays until its packet has come") {
    kernel_loop on;
    on.run([&]() -> task<> {
        connection ends = co_await connect_ends();
        tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
        const backend& kernel = on.port.kernel();
        int ended = 0;
        auto reading = [&]() -> task<> {
            std::string text(1, '\0');
            const auto count = co_await as_result(ends.there.read(text));
            CHECK(count.error() == std::errc::operation_canceled);
            ++ended;
        };
        auto accepting = [&]() -> task<> {
            const auto accepted = co_await as_result(listener.accept());
            CHECK(accepted.error() == std::errc::operation_canceled);
            ++ended;
        };
        auto body = [&](task_group& group) -> task<> {
            group.start(reading);
            group.start(accepting);
            co_await iterations();
            CHECK(kernel.operations_in_flight() == 2);
            const operation* const read = ends.there.state()->in.active;
            REQUIRE(read);
            group.cancel();
            // Buffer and OVERLAPPED are the kernel's still.
            CHECK(ends.there.state()->in.active == read);
            CHECK(kernel.operations_in_flight() == 2);
            let_kernel_answer();
            CHECK(kernel.operations_in_flight() == 2);
            CHECK(ended == 0);
        };
        co_await with_task_group(body);
        CHECK(ended == 2);
        CHECK(kernel.operations_in_flight() == 0);
    });
}

TEST_CASE("iocp: an accept that is cancelled gives back the socket that it brought along") {
    run_clean([]() -> task<> {
        tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
        const std::size_t before = open_descriptors().size();
        for (int i = 0; i < 5; ++i) {
            auto body = [&](task_group& group) -> task<> {
                group.start(listener.accept());
                co_await iterations();
                CHECK(open_descriptors().size() == before + 1);
                group.cancel();
            };
            co_await with_task_group(body);
            CHECK(open_descriptors().size() == before);
        }
    });
}

TEST_CASE("iocp: a function that is missing keeps it from being taken, and is named") {
    for (const GUID& guid : {GUID(WSAID_ACCEPTEX), GUID(WSAID_CONNECTEX)}) {
        const missing_function missing(guid);
        const backend_status status = probe_backend("iocp");
        CHECK_FALSE(status.works);
        CHECK(status.reason.find("Ex is not there: error 10045") != std::string::npos);
        context_options options;
        options.backend = "iocp";
        const std::string words = "the backend iocp was asked for but does not work here: ";
        CHECK_THROWS_WITH_AS(context{options}, (words + status.reason).c_str(), std::runtime_error);
    }
    CHECK(probe_backend("iocp").works);
}

TEST_CASE("windows: a backend that does not exist is an error that names those that do") {
    CHECK_THROWS_WITH_AS(static_cast<void>(probe_backend("epoll")),
                         "there is no backend called 'epoll'; there are: rio, iocp",
                         std::invalid_argument);
}

TEST_CASE("signal_set: Ctrl-C at the console is SIGINT") {
    ::FreeConsole();
    if (!::AllocConsole()) {
        MESSAGE("skipped, because there is no console to be had");
        return;
    }
    run_clean([]() -> task<> {
        signal_set signals({SIGINT});
        CHECK(::GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0));
        const int number = co_await signals.next();
        CHECK(number == SIGINT);
    });
}
