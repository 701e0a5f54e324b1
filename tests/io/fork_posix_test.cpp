// SPDX-License-Identifier: MIT
//
// A forked child never touches its parent's loop: it is stopped with a message where it tries, and
// the parent goes on. With a context of its own it works.
#include "child_process.hpp"
#include "clean_run.hpp"
#include "connected.hpp"

#include "../support/instrumented.hpp"

#include <atomic>
#include <coracle/io/backend.hpp>
#include <coracle/io/context.hpp>
#include <coracle/io/tcp.hpp>
#include <coracle/io/unused_sockets.hpp>
#include <coracle/runtime/object_pool.hpp>
#include <coracle/runtime/sleep.hpp>
#include <coracle/runtime/threads/remote_event.hpp>
#include <coracle/runtime/when.hpp>
#include <doctest/doctest.h>
#include <optional>
#include <string>
#include <thread>
#include <vector>

using namespace coracle;
using namespace coracle::test;
using namespace std::literals;

namespace {

constexpr const char* message = "this process was forked while a loop ran, which is the parent's";

task<> exchange(connection& ends) {
    co_await ends.here.write("x"sv);
    const std::string text = co_await read_text(ends.there, 1);
    CHECK(text == "x");
}

task<> exchange_once() {
    connection ends = co_await connect_ends();
    co_await exchange(ends);
}

/// Forks in a job, while another one has a read under way; the child does `work`.
template <class Work>
task<child_outcome> forked_in_a_job(Work work) {
    connection ends = co_await connect_ends();
    child_outcome outcome;
    auto reader = [&]() -> task<> {
        const std::string text = co_await read_text(ends.there, 1);
        CHECK(text == "x");
    };
    auto forker = [&]() -> task<> {
        co_await sleep_for(1ms); // after which the kernel has the read
        outcome = in_child_process(work);
        co_await ends.here.write("x"sv);
    };
    co_await when_all(reader(), forker());
    co_await exchange(ends);
    co_return outcome;
}

} // namespace

TEST_CASE("fork: a child that makes a context of its own works, and its parent too") {
    run_clean([]() -> task<> {
        const child_outcome outcome = co_await forked_in_a_job([] {
            run(exchange_once());
            run(exchange_once());
        });
        CHECK(outcome.succeeded);
        CHECK(outcome.error_output.empty());
    });
}

TEST_CASE("fork: a child that leaves its parent's context is stopped, and its parent goes on") {
    std::optional<context> here(std::in_place);
    const child_outcome outcome = in_child_process([&] { here.reset(); });
    CHECK(outcome.aborted);
    CHECK(outcome.said(message));
    here->run(exchange_once());
}

TEST_CASE("fork: a child that goes on with its parent's loop is stopped, and its parent goes on") {
    run_clean([]() -> task<> {
        const child_outcome outcome =
            co_await forked_in_a_job([] { static_cast<void>(context::current()); });
        CHECK(outcome.aborted);
        CHECK(outcome.said(message));
    });
    std::optional<context> here(std::in_place);
    const child_outcome outcome = in_child_process([&] { here->run(exchange_once()); });
    CHECK(outcome.aborted);
    CHECK(outcome.said(message));
    here->run(exchange_once());
}

TEST_CASE(
    "fork: a child that posts to its parent's loop is stopped; one that lets go of it is not") {
    context here;
    std::optional<remote_event> set_elsewhere(std::in_place);
    std::optional<loop_handle> handle = here.handle();
    const child_outcome posted = in_child_process([&] { handle->post([] {}); });
    CHECK(posted.aborted);
    CHECK(posted.said(message));
    const child_outcome set = in_child_process([&] { set_elsewhere->set(); });
    CHECK(set.aborted);
    CHECK(set.said(message));
    const child_outcome let_go = in_child_process([&] {
        handle.reset();
        set_elsewhere.reset();
    });
    CHECK(let_go.succeeded);
    CHECK(let_go.error_output.empty());
    here.run(exchange_once());
}

namespace {

/// Does something over and over on a thread of its own.
class busy_thread {
public:
    template <class Work>
    explicit busy_thread(Work work)
        : thread_([this, work] {
              while (!stopped_.load())
                  work();
          }) {}

    ~busy_thread() {
        stopped_.store(true);
        thread_.join();
    }

    busy_thread(const busy_thread&) = delete;
    busy_thread& operator=(const busy_thread&) = delete;

private:
    std::atomic<bool> stopped_ = false;
    std::thread thread_;
};

/// Sockets that a job has made and no loop has used are in lists that all threads share.
task<> make_unused(std::vector<tcp_listener>& sockets) {
    for (int made = 0; made < 400; ++made)
        sockets.push_back(tcp_listener::bind(address::loopback_v4(0)));
    co_return;
}

} // namespace

TEST_CASE("fork: a child works whatever another thread was doing with the lists that all share") {
    if (delays_signals) {
        MESSAGE("skipped, because the thread sanitizer allows no fork beside other threads");
        return;
    }
    context here; // from the first one on, a fork waits for those lists
    const auto check_children = [] {
        for (int child = 0; child < 30; ++child) {
            const child_outcome outcome = in_child_process([] { run(exchange_once()); });
            REQUIRE(outcome.succeeded);
        }
    };
    SUBCASE("of gauges and leak sources") {
        const busy_thread pools([] { const object_pool<int> made; });
        check_children();
    }
    SUBCASE("of sockets") {
        std::vector<tcp_listener> unused;
        here.run(make_unused(unused));
        const backend& made_in = *backend::current();
        const busy_thread listing([&made_in] {
            std::vector<leak> listed;
            detail::list_unused(made_in, listed);
        });
        check_children();
    }
}
