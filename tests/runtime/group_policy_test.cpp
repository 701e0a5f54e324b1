// SPDX-License-Identifier: MIT
//
// What a job's failure does to its group, and how its name comes out.
#include "virtual_loop.hpp"

#include <coracle/runtime/awaitable.hpp>
#include <coracle/runtime/diagnostics/failed_job.hpp>
#include <coracle/runtime/sleep.hpp>
#include <coracle/runtime/task_group.hpp>
#include <coracle/runtime/when.hpp>
#include <doctest/doctest.h>
#include <exception>
#include <stdexcept>
#include <string>
#include <system_error>

using namespace coracle;
using namespace coracle::test;
using namespace std::chrono_literals;

namespace {

task<> fails_after(std::chrono::milliseconds delay, const char* words) {
    co_await sleep_for(delay);
    throw std::runtime_error(words);
}

} // namespace

TEST_CASE_FIXTURE(virtual_loop,
                  "task_group: with on_failure::report one bad job ends only itself") {
    const collected_warnings warnings;
    run([]() -> task<> {
        const time_point start = now();
        int ended = 0;
        auto good = [&ended]() -> task<> {
            co_await sleep_for(3ms);
            ++ended;
        };
        auto body = [&](task_group& group) -> task<int> {
            group.start("first", good);
            group.start("session", fails_after(1ms, "reset"));
            group.start(fails_after(2ms, "cut"));
            co_await sleep_for(4ms);
            co_return 5;
        };
        const int value = co_await with_task_group(on_failure::report, body);
        CHECK(value == 5);
        CHECK(ended == 1);
        CHECK(now() == start + 4ms);
    });
    const auto all = collected_warnings::all();
    REQUIRE(all.size() == 2);
    CHECK(all[0].starts_with("a job failed, session, in "));
    CHECK(all[0].find("(group_policy_test.cpp:") != std::string::npos);
    CHECK(all[0].ends_with(": reset"));
    CHECK(all[1].ends_with(": cut"));
}

TEST_CASE_FIXTURE(virtual_loop,
                  "task_group: with on_failure::report the body's failure is thrown") {
    const collected_warnings warnings;
    run([]() -> task<> {
        const time_point start = now();
        auto body = [](task_group& group) -> task<> {
            group.start(sleep_for(1h));
            co_await fails_after(1ms, "listener");
        };
        const std::string failure = co_await failure_of(with_task_group(on_failure::report, body));
        CHECK(failure == "listener");
        CHECK(now() == start + 1ms);
    });
    CHECK(collected_warnings::all().empty());
}

TEST_CASE_FIXTURE(virtual_loop, "task_group: with on_failure::report, cancelling it is silent") {
    const collected_warnings warnings;
    run([]() -> task<> {
        auto body = [](task_group& group) -> task<> {
            group.start(sleep_for(1h));
            group.start(sleep_for(1h));
            co_await yield();
            group.cancel();
        };
        co_await with_task_group(on_failure::report, body);
    });
    CHECK(collected_warnings::all().empty());
}

TEST_CASE_FIXTURE(virtual_loop,
                  "failed_job: which job the exception came from, the innermost one") {
    run([]() -> task<> {
        auto inner = [](task_group& group) -> task<> {
            group.start("culprit", fails_after(1ms, "first"));
            co_await sleep_for(1h);
        };
        auto outer = [&](task_group& group) -> task<> {
            group.start("middle", with_task_group(inner));
            co_await sleep_for(1h);
        };
        std::string said;
        try {
            co_await with_task_group(outer);
        } catch (const std::runtime_error& error) {
            said = failed_job();
            CHECK(std::string(error.what()) == "first");
        }
        CHECK(said.starts_with("culprit, in "));
        CHECK(said.find("fails_after") != std::string::npos);
        CHECK(said.find("(group_policy_test.cpp:") != std::string::npos);

        // Of any other exception it says nothing.
        said = "?";
        try {
            co_await fails_after(1ms, "no group");
        } catch (const std::exception&) {
            said = failed_job();
        }
        CHECK(said.empty());
    });
}

TEST_CASE_FIXTURE(virtual_loop, "failed_job: when_all and when_any tell it too") {
    run([]() -> task<> {
        std::string said;
        try {
            co_await when_all(sleep_for(1h), fails_after(1ms, "all"));
        } catch (const std::exception&) {
            said = failed_job();
        }
        CHECK(said.find("fails_after") != std::string::npos);
        said.clear();
        try {
            static_cast<void>(co_await when_any(sleep_for(1h), fails_after(1ms, "any")));
        } catch (const std::exception&) {
            said = failed_job();
        }
        CHECK(said.find("fails_after") != std::string::npos);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "failed_job: a failure that ends run is named in a warning") {
    const collected_warnings warnings;
    const auto program = []() -> task<> {
        auto body = [](task_group& group) -> task<> {
            group.start("session", fails_after(1ms, "reset"));
            co_await sleep_for(1h);
        };
        co_await with_task_group(body);
    };
    CHECK_THROWS_WITH_AS(run(program), "reset", std::runtime_error);
    const auto all = collected_warnings::all();
    REQUIRE(all.size() == 1);
    CHECK(all[0].starts_with("run ends because a job failed, session, in "));
    CHECK(all[0].ends_with(": reset"));
}
