// SPDX-License-Identifier: MIT
//
// inspect: the tree holds every job, says what each waits for, and measures time by the loop's
// turn.

#include "virtual_loop.hpp"

#include <chrono>
#include <coracle/runtime/event.hpp>
#include <coracle/runtime/inspect.hpp>
#include <coracle/runtime/sleep.hpp>
#include <coracle/runtime/task_group.hpp>
#include <coracle/runtime/timeout.hpp>
#include <coracle/runtime/when.hpp>
#include <string>

using namespace coracle;
using namespace coracle::test;
using namespace std::chrono_literals;

namespace {

task<> wait_deep_inside(event& awaited) {
    co_await awaited.wait();
}

task<> wait_inside(event& awaited) {
    co_await wait_deep_inside(awaited);
}

/// The job below `above` that waits for a `kind`.
const job_view& child_waiting_for(const job_view& above, std::string_view kind) {
    for (const job_view& each : above.children) {
        if (each.kind == kind)
            return each;
    }
    FAIL("no child waits for that");
    return above;
}

} // namespace

TEST_CASE_FIXTURE(virtual_loop, "inspect: outside of run there is no job") {
    const inspection seen = inspect();
    CHECK(seen.jobs() == 0);
    CHECK(seen.timers() == 0);
    CHECK(seen.waiting_for("sleep") == 0);
    CHECK(to_string(seen) == "0 jobs, 0 timers\n");
    CHECK(to_json(seen) == R"({"jobs":0,"timers":0,"root":null})");
}

TEST_CASE_FIXTURE(virtual_loop, "inspect: who looks is running") {
    run([]() -> task<> {
        co_await sleep_for(3ms);
        const inspection seen = inspect();
        CHECK(seen.jobs() == 1);
        CHECK(seen.root().state == job_state::running);
        CHECK(seen.root().frames.empty());
        CHECK(seen.root().age == 3ms);
        CHECK(to_string(seen) == "1 jobs, 0 timers\njob: running, age 3ms\n");
    });
}

TEST_CASE_FIXTURE(virtual_loop,
                  "inspect: a job that waits shows its frames, what for and how long") {
    run([]() -> task<> {
        event never;
        auto body = [&never](task_group& group) -> task<> {
            co_await sleep_for(1ms);
            group.start(wait_inside(never));
            co_await sleep_for(4ms);
            const inspection seen = inspect();
            CHECK(seen.jobs() == 3);
            CHECK(seen.waiting_for("event") == 1);
            CHECK(seen.waiting_for("task_group") == 1);
            CHECK(seen.root().kind == "task_group");
            CHECK(seen.root().waiting_for == 5ms);
            const job_view& waiting = child_waiting_for(seen.root(), "event");
            CHECK(waiting.state == job_state::waiting);
            CHECK(waiting.age == 4ms);
            CHECK(waiting.waiting_for == 4ms);
            CHECK_FALSE(waiting.cancelled);
            REQUIRE(waiting.frames.size() == 2);
            CHECK(waiting.frames[0].function.find("wait_inside") != std::string::npos);
            CHECK(waiting.frames[1].function.find("wait_deep_inside") != std::string::npos);
            CHECK(waiting.frames[1].file.ends_with("inspect_test.cpp"));
            CHECK(waiting.frames[1].line < waiting.frames[0].line);
            group.cancel();
        };
        co_await with_task_group(body);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "inspect: a ready job and a cancelled one") {
    run([]() -> task<> {
        auto body = [](task_group& group) -> task<> {
            group.start([]() -> task<> { co_await yield(); });
            co_await yield();
            const inspection before = inspect();
            REQUIRE(before.root().children.size() == 2);
            CHECK(before.root().children[0].state == job_state::ready);
            CHECK(before.root().children[0].frames.size() == 1);
            group.cancel();
            CHECK(inspect().root().children[0].cancelled);
        };
        co_await with_task_group(body);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "inspect: every kind of scope shows what is below it") {
    run([]() -> task<> {
        event done;
        auto look = [&done]() -> task<> {
            co_await sleep_for(1ms);
            const inspection seen = inspect();
            CHECK(seen.jobs() == 6);
            CHECK(seen.timers() == 1); // the deadline
            for (const char* const kind : {"when_any", "when_all", "with_deadline", "shielded"})
                CHECK(seen.waiting_for(kind) == 1);
            CHECK(seen.waiting_for("event") == 1);
            done.set(); // what is shielded is not cancelled by when_any
        };
        const auto first =
            co_await when_any(look(), when_all(with_timeout(1h, shielded(done.wait()))));
        CHECK(first.index() == 0);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "inspect: JSON says the same, with awkward text escaped") {
    run([]() -> task<> {
        event never;
        auto body = [&never](task_group& group) -> task<> {
            group.start(wait_inside(never));
            co_await sleep_for(2ms);
            const std::string json = to_json(inspect());
            CHECK(json.starts_with(R"({"jobs":3,"timers":0,"root":{"state":"waiting")"));
            CHECK(json.find(R"("kind":"event","detail":"","waiting_ns":2000000)") !=
                  std::string::npos);
            CHECK(json.find(R"("state":"running","cancelled":false,"age_ns":2000000)") !=
                  std::string::npos);
            CHECK(json.find('\n') == std::string::npos);
            group.cancel();
        };
        co_await with_task_group(body);
    });
}
