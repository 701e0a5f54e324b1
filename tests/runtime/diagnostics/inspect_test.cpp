// SPDX-License-Identifier: MIT
//
// inspect: the tree holds every job, says what each waits for, and measures time by the loop's
// iteration.

#include "virtual_loop.hpp"

#include <chrono>
#include <coracle/runtime/diagnostics/inspect.hpp>
#include <coracle/runtime/sleep.hpp>
#include <coracle/runtime/sync/event.hpp>
#include <coracle/runtime/task_group.hpp>
#include <coracle/runtime/timeout.hpp>
#include <coracle/runtime/when.hpp>
#include <functional>
#include <future>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

using namespace coracle;
using namespace coracle::test;
using namespace std::chrono_literals;

namespace {

/// Whether there is anything to test; says why if not.
bool names_and_times_are_recorded() {
    if (!detail::inspectable)
        MESSAGE("skipped, because this build records no names, places and times");
    return detail::inspectable;
}

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
    CHECK(to_string(seen) == "0 jobs, 0 timers, 0 operations in flight, 0 sockets\n");
    CHECK(format_as(seen) == to_string(seen));
    CHECK(to_json(seen) == R"({"jobs":0,"timers":0,"operations":0,"sockets":0,"usage":)" +
                               to_json(seen.usage()) + R"(,"root":null})");
}

TEST_CASE_FIXTURE(virtual_loop, "inspect: who looks is running") {
    if (!names_and_times_are_recorded())
        return;
    run([]() -> task<> {
        co_await sleep_for(3ms);
        const inspection seen = inspect();
        CHECK(seen.jobs() == 1);
        CHECK(seen.root().state == job_state::running);
        CHECK(seen.root().frames.empty());
        CHECK(seen.root().age == 3ms);
        name_this_job("looker");
        CHECK(to_string(inspect()) == "1 jobs, 0 timers, 0 operations in flight, 0 sockets\n"
                                      "looker: running, age 3ms\n");
    });
}

TEST_CASE_FIXTURE(virtual_loop,
                  "inspect: a job that waits shows its frames, what for and how long") {
    if (!names_and_times_are_recorded())
        return;
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

TEST_CASE_FIXTURE(virtual_loop, "inspect: a job has the name it was given, or its function's") {
    if (!names_and_times_are_recorded())
        return;
    run([]() -> task<> {
        event never;
        auto body = [&never](task_group& group) -> task<> {
            name_this_job("the body");
            group.start(wait_inside(never));
            CHECK(inspect().root().children[0].name.find("wait_inside") != std::string::npos);
            group.start("waiter", wait_inside(never));
            group.start("caller", wait_inside, std::ref(never));
            co_await sleep_for(1ms);
            const inspection seen = inspect();     // the newest child comes first
            CHECK_FALSE(seen.root().name.empty()); // compilers call a lambda what they like
            CHECK(seen.root().children[0].name == "caller");
            CHECK(seen.root().children[1].name == "waiter");
            CHECK(seen.root().children[2].name.find("wait_inside") != std::string::npos);
            CHECK(seen.root().children[3].name == "the body");
            CHECK(to_string(seen).find("\n  waiter: waiting for event since 1ms, age 1ms\n") !=
                  std::string::npos);
            group.cancel();
        };
        co_await with_task_group(body);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "inspect: what is made is made by the job that runs") {
    if (!names_and_times_are_recorded())
        return;
    const auto present = [] { return std::string_view(creation_site().job()); };
    CHECK(creation_site().job() == nullptr);
    run([&present, this]() -> task<> {
        name_this_job("root");
        auto child = [&present](const char* name) -> task<> {
            co_await yield();
            CHECK(present() == name);
        };
        auto body = [&](task_group& group) -> task<> {
            group.start("one", child, "one");
            group.start("two", child, "two");
            name_this_job("body");
            co_await group.wait_for_others();
            CHECK(present() == "body");
        };
        co_await with_task_group(body);
        CHECK(present() == "root"); // resumed by the last child without the loop
        event_loop.handle().post([] { CHECK(creation_site().job() == nullptr); });
        co_await sleep_for(1ms);
        CHECK(present() == "root");
    });
    CHECK(creation_site().job() == nullptr);
}

TEST_CASE("inspect: from another thread, as long as the loop lives") {
    if (!names_and_times_are_recorded())
        return;
    std::optional<loop_handle> other;
    std::future<inspection> asked_late;
    {
        virtual_loop here;
        other = here.event_loop.handle();
        here.run([&other]() -> task<> {
            name_this_job("server");
            std::future<inspection> asked;
            std::thread([&] { asked = inspect(*other); }).join();
            co_await sleep_for(1ms);
            CHECK(asked.get().root().name == "server");
        });
        asked_late = inspect(*other);
    }
    CHECK_THROWS_AS(static_cast<void>(asked_late.get()), std::future_error);
    CHECK_THROWS_AS(static_cast<void>(inspect(*other).get()), std::future_error);
}

TEST_CASE_FIXTURE(virtual_loop, "inspect: a ready job and a cancelled one") {
    run([]() -> task<> {
        auto body = [](task_group& group) -> task<> {
            group.start([]() -> task<> {
                co_await yield();
                co_await yield();
            });
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
    if (!names_and_times_are_recorded())
        return;
    run([]() -> task<> {
        event never;
        auto body = [&never](task_group& group) -> task<> {
            group.start("the \"one\"", wait_inside(never));
            co_await sleep_for(2ms);
            const std::string json = to_json(inspect());
            CHECK(json.starts_with(R"({"jobs":3,"timers":0,"operations":0,"sockets":0,"usage":{)"));
            CHECK(json.find(R"("name":"the \"one\"","state":"waiting")") != std::string::npos);
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

TEST_CASE_FIXTURE(virtual_loop, "inspect: an age of days is written in whole seconds") {
    if (!names_and_times_are_recorded())
        return;
    run([]() -> task<> {
        co_await sleep_for(24h * 30);
        CHECK(to_string(inspect()).find(", age 2592000s\n") != std::string::npos);
    });
}
