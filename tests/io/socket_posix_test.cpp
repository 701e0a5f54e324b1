// SPDX-License-Identifier: MIT
//
// What only the calls of POSIX show of a socket: urgent data, and whether calls on it block.

#include "clean_run.hpp"
#include "connected.hpp"

#include <coracle/coracle.hpp>
#include <coracle/io/posix/differences.hpp>
#include <cstdlib>
#include <fcntl.h>
#include <optional>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>

using namespace coracle;
using namespace coracle::test;
using namespace std::string_view_literals;

TEST_CASE("socket: what lies behind urgent data is read") {
    const std::string_view backend = std::getenv("CORACLE_BACKEND");
    if (backend == "io_uring" || backend == "kqueue") {
        MESSAGE("skipped, because it tells of an arrival and not of what is left: see stream");
        return;
    }
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        // Twice, so that the reader is registered with epoll and waits for readiness.
        for (int again = 0; again < 2; ++again) {
            auto send_urgent = [](tcp_stream& from) -> task<> {
                co_await iterations();
                send_raw(from, "abc");
                const char urgent = '!';
                CHECK(::send(static_cast<int>(from.handle()), &urgent, 1, MSG_OOB) == 1);
                send_raw(from, "def");
            };
            const auto ended = co_await when_all(read_text(ends.here, 6), send_urgent(ends.there));
            CHECK(std::get<0>(ended) == "abcdef");
        }
    });
}

TEST_CASE("socket: released, it blocks whatever has used it") {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends(); // connecting has made it one that does not
        const native_handle handle = ends.here.release();
        CHECK((::fcntl(static_cast<int>(handle), F_GETFL) & O_NONBLOCK) == 0);
        CHECK_FALSE(ends.here.is_open());
        tcp_stream adopted = tcp_stream::adopt(handle);
        co_await adopted.write("x"sv);
        const std::string text = co_await read_text(ends.there, 1);
        CHECK(text == "x");
    });
}

TEST_CASE("accept_many: a listener given up while the kernel still accepts is free of it") {
    run_clean([]() -> task<> {
        tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
        const address local = listener.local_address();
        auto first = co_await when_all(tcp_stream::connect(local), listener.accept_many().next());
        const int handle = static_cast<int>(listener.release());
        const auto peer = static_cast<int>(connect_raw(local));
        const int taken = posix::accept_connection(handle);
        CHECK(taken >= 0);
        for (const int each : {peer, taken, handle})
            ::close(each);
    });
}

TEST_CASE("accept: of a listener that was shut down behind its back fails late") {
    run_clean([]() -> task<> {
        tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
        auto shut = [&]() -> task<> {
            co_await iterations();
            ::shutdown(static_cast<int>(listener.handle()), SHUT_RDWR);
        };
        auto both = co_await when_all(result_of_task(listener.accept()), shut());
        CHECK(std::get<0>(both).error() == std::errc::invalid_argument);
    });
}

TEST_CASE("accept_many: a listener that was shut down behind its back fails late") {
    run_clean([]() -> task<> {
        tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
        multishot_accept incoming = listener.accept_many();
        auto shut = [&]() -> task<> {
            co_await iterations();
            ::shutdown(static_cast<int>(listener.handle()), SHUT_RDWR);
        };
        auto both = co_await when_all(result_of_task(incoming.next()), shut());
        CHECK(std::get<0>(both).error() == std::errc::invalid_argument);
    });
}

TEST_CASE("tcp_listener: without reuse_address earlier connections keep the port") {
    run_clean([]() -> task<> {
        std::optional<tcp_listener> listener = tcp_listener::bind(address::loopback_v4(0));
        const address local = listener->local_address();
        connection ends = co_await connect_to(*listener);
        listener.reset();
        ends.there.close(); // this side closes first, so it keeps the port for a minute
        std::string text(1, '\0');
        const std::size_t end = co_await ends.here.read(text);
        CHECK(end == 0);
        ends.here.close();
        listen_options strict;
        strict.reuse_address = false;
        std::error_code error;
        try {
            static_cast<void>(tcp_listener::bind(local, strict));
        } catch (const std::system_error& refused) {
            error = refused.code();
        }
        CHECK(error == std::errc::address_in_use);
    });
}
