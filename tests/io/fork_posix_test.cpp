// SPDX-License-Identifier: MIT
//
// A forked child never touches its parent's loop: it is stopped with a message where it tries, and
// the parent goes on. With a context of its own it works.
#include "child_process.hpp"
#include "clean_run.hpp"
#include "connected.hpp"

#include <coracle/io/context.hpp>
#include <coracle/runtime/sleep.hpp>
#include <coracle/runtime/when.hpp>
#include <doctest/doctest.h>
#include <optional>
#include <string>

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
