// SPDX-License-Identifier: MIT
//
// What comes late but well, to somebody who does not want it any more: the kernel has accepted or
// connected, and its answer lies in the completion queue while the operation is cancelled. The
// descriptor is given back, which the peer sees as the end of the stream.

#include "clean_run.hpp"
#include "connected.hpp"

#include <coracle/coracle.hpp>
#include <cstdlib>
#include <string_view>

using namespace coracle;
using namespace coracle::test;
using namespace std::string_view_literals;

namespace {

/// Where a kernel only tells that something can be done, nothing has been done for who waits.
bool kernel_completes() {
    const char* const name = std::getenv("CORACLE_BACKEND");
    const std::string_view backend = name ? name : "";
    if (backend == "io_uring" || backend == "iocp" || backend == "rio")
        return true;
    MESSAGE("skipped, because this backend has no completions that can come too late");
    return false;
}

task<> let_kernel_finish() {
    let_kernel_answer();
    co_return;
}

/// A listener at whose door somebody comes to wait.
struct awaited_listener {
    tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
    tcp_stream peer;

    /// Lets the kernel accept the peer, for whoever has asked it to.
    task<> knock() {
        peer = tcp_stream::adopt(connect_raw(listener.local_address()));
        let_kernel_answer();
        co_return;
    }

    /// That the connection was accepted and closed.
    task<> sees_the_end() {
        REQUIRE(open_descriptors().size() == descriptors_before + 2); // the listener and the peer
        char byte = 0;
        const std::size_t count = co_await peer.read(mutable_buffer(&byte, 1));
        CHECK(count == 0);
    }

    std::size_t descriptors_before = open_descriptors().size() - 1;
};

} // namespace

TEST_CASE("late success: a connection that was accepted for a loser of when_any is closed") {
    if (!kernel_completes())
        return;
    run_clean([]() -> task<> {
        awaited_listener door;
        const auto first = co_await when_any(door.listener.accept(), door.knock());
        CHECK(first.index() == 1);
        co_await door.sees_the_end();
    });
}

TEST_CASE("late success: a cancelled job gets its connection, and nothing after it") {
    if (!kernel_completes())
        return;
    run_clean([]() -> task<> {
        awaited_listener door;
        bool got_it = false;
        bool went_on = false;
        auto accepting = [&]() -> task<> {
            tcp_stream accepted = co_await door.listener.accept();
            got_it = accepted.is_open();
            co_await accepted.write("hello"sv);
            went_on = true;
        };
        auto body = [&](task_group& group) -> task<> {
            group.start(accepting);
            co_await yield();
            co_await door.knock();
            group.cancel();
        };
        co_await with_task_group(body);
        CHECK(got_it);
        CHECK_FALSE(went_on);
        co_await door.sees_the_end();
    });
}

TEST_CASE("late success: a listener that closes while it has a connection loses none") {
    if (!kernel_completes())
        return;
    run_clean([]() -> task<> {
        awaited_listener door;
        auto closing = [&]() -> task<> {
            co_await door.knock();
            door.listener.close();
        };
        const auto both = co_await when_all(as_result(door.listener.accept()), closing());
        CHECK(std::get<0>(both).has_value());
    });
}

TEST_CASE("late success: a connection that was made for a loser of when_any is closed") {
    if (!kernel_completes())
        return;
    run_clean([]() -> task<> {
        tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
        const auto first =
            co_await when_any(tcp_stream::connect(listener.local_address()), let_kernel_finish());
        CHECK(first.index() == 1);
        tcp_stream accepted = co_await listener.accept();
        char byte = 0;
        const std::size_t count = co_await accepted.read(mutable_buffer(&byte, 1));
        CHECK(count == 0);
    });
}
