// SPDX-License-Identifier: MIT
//
// start: a child runs at once, within whoever starts it, until it first waits; how deep and for how
// long children may do so.
#include "virtual_loop.hpp"

#include <algorithm>
#include <coracle/runtime/diagnostics/inspect.hpp>
#include <coracle/runtime/sleep.hpp>
#include <coracle/runtime/sync/event.hpp>
#include <coracle/runtime/task_group.hpp>
#include <coracle/runtime/this_job.hpp>
#include <coracle/runtime/timeout.hpp>
#include <coracle/runtime/when.hpp>
#include <cstddef>
#include <doctest/doctest.h>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace coracle;
using namespace coracle::test;
using namespace std::chrono_literals;

namespace {

task<> fails(const char* words) {
    throw std::runtime_error(words);
    co_return;
}

} // namespace

TEST_CASE_FIXTURE(virtual_loop, "start: a job runs until it first waits, and then its starter") {
    run([]() -> task<> {
        std::string order;
        auto child = [&order]() -> task<> {
            order += "child ";
            co_await yield();
            order += "later ";
        };
        auto body = [&](task_group& group) -> task<> {
            group.start(child);
            order += "starter ";
            co_return;
        };
        co_await with_task_group(body);
        CHECK(order == "child starter later ");
    });
}

TEST_CASE_FIXTURE(virtual_loop, "start: a job that ends at once is gone before start returns") {
    run([]() -> task<> {
        auto body = [](task_group& group) -> task<> {
            int alive = 0;
            auto child = [](counted) -> task<> { co_return; };
            const std::size_t frames = usage().live_frames;
            group.start(child, counted(alive));
            CHECK(alive == 0);
            CHECK(usage().live_frames == frames);
            co_return;
        };
        co_await with_task_group(body);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "start: the starter is the running job again afterwards") {
    run([]() -> task<> {
        auto child = []() -> task<> {
            name_this_job("child");
            co_await yield();
        };
        auto body = [&](task_group& group) -> task<> {
            const job* const starter = job::current();
            group.start(child);
            CHECK(job::current() == starter);
            co_return;
        };
        co_await with_task_group(body);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "start: the starter cannot go on after a job that fails at once") {
    run([]() -> task<> {
        bool goes_on = false;
        auto body = [&](task_group& group) -> task<> {
            group.start(fails("at once"));
            CHECK(this_job::cancelled());
            co_await check_cancelled();
            goes_on = true;
        };
        const std::string failure = co_await failure_of(with_task_group(body));
        CHECK(failure == "at once");
        CHECK_FALSE(goes_on);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "start: a starter that goes on regardless lets others run") {
    run([]() -> task<> {
        int iterations = 0;
        bool done = false;
        auto other = [&]() -> task<> {
            while (!done) {
                ++iterations;
                co_await yield();
            }
        };
        auto body = [&](task_group& group) -> task<> {
            group.start(fails("at once"));
            for (int i = 0; i < 10; ++i)
                static_cast<void>(co_await as_result(check_cancelled()));
            done = true;
        };
        const auto both = co_await when_all(other(), failure_of(with_task_group(body)));
        CHECK(std::get<1>(both) == "at once");
        CHECK(iterations >= 10);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "start: a chain of jobs, each of which starts the next one") {
    static constexpr int length = 100'000;
    run([]() -> task<> {
        int begun = 0;
        auto body = [&begun](task_group& group) -> task<> {
            struct link {
                static task<> run(task_group& in, int& count, int left) {
                    ++count;
                    if (left > 0)
                        in.start(run(in, count, left - 1));
                    co_return;
                }
            };
            group.start(link::run(group, begun, length - 1));
            co_return;
        };
        co_await with_task_group(body);
        CHECK(begun == length);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "start: when_all within when_all, very deep") {
    static constexpr int depth = 50'000;

    struct nested {
        static task<int> run(int left) {
            if (left == 0)
                co_return 0;
            const auto [deeper, one] = co_await when_all(run(left - 1), leaf());
            co_return deeper + one;
        }

        static task<int> leaf() { co_return 1; }
    };

    run([]() -> task<> {
        const int sum = co_await nested::run(depth);
        CHECK(sum == depth);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "start: memory follows the depth of a tree, not its breadth") {
    run([]() -> task<> {
        std::size_t max_frames = 0;
        struct tree {
            static task<int> run(int levels, std::size_t& max) {
                max = std::max(max, usage().live_frames);
                if (levels == 0)
                    co_return 1;
                std::vector<task<int>> children;
                for (int i = 0; i < 10; ++i)
                    children.push_back(run(levels - 1, max));
                const std::vector<int> sums = co_await when_all(std::move(children));
                int sum = 0;
                for (const int each : sums)
                    sum += each;
                co_return sum;
            }
        };
        const int leaves = co_await tree::run(5, max_frames);
        CHECK(leaves == 100'000);
        CHECK(max_frames < 1000); // depth-first with a break now and then; breadth-first, 111,111
    });
}

TEST_CASE_FIXTURE(virtual_loop, "start: others run while a job starts very many") {
    run([]() -> task<> {
        int iterations = 0;
        bool done = false;
        auto other = [&]() -> task<> {
            while (!done) {
                ++iterations;
                co_await sleep_for(0ms); // once in an iteration
            }
        };
        struct tree {
            static task<> run(int levels) {
                for (int i = 0; levels > 0 && i < 10; i += 2)
                    co_await when_all(run(levels - 1), run(levels - 1));
            }
        };
        auto busy = [&]() -> task<> {
            co_await yield();
            co_await tree::run(5);
            done = true;
        };
        co_await when_all(other(), busy());
        CHECK(iterations > 3);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "start: inspect in a child that has not waited yet") {
    run([]() -> task<> {
        name_this_job("main");
        auto first = []() -> task<> {
            name_this_job("first");
            const inspection seen = inspect();
            CHECK(seen.root().name == "main");
            CHECK(seen.root().state == job_state::waiting);
            REQUIRE(seen.root().children.size() == 2);
            const job_view& second = seen.root().children[0];
            CHECK(second.state == job_state::ready);
            CHECK(second.frames.size() == 1);
            CHECK(seen.root().children[1].name == "first");
            CHECK(seen.root().children[1].state == job_state::running);
            co_return;
        };
        auto second = []() -> task<> { co_return; };
        co_await when_all(first(), second());
    });
}

TEST_CASE_FIXTURE(virtual_loop, "start: by a job outside, which the end of the group resumes in") {
    // The job that is started ends the last wait of the group's owner, and so the owner runs, and
    // the group goes, while the start has not returned.
    run([]() -> task<> {
        task_group* open = nullptr;
        event go;
        bool group_gone = false;
        auto waits = [&go]() -> task<> { co_await go.wait(); };
        auto inside = [&]() -> task<> {
            auto body = [&](task_group& group) -> task<> {
                open = &group;
                co_await waits();
            };
            co_await with_task_group(body);
            group_gone = true;
        };
        auto outside = [&]() -> task<> {
            auto opens_and_ends = [&]() -> task<> {
                go.set();
                co_await yield(); // the body ends meanwhile, and then this is the last job
            };
            open->start(opens_and_ends);
            co_return;
        };
        co_await when_all(inside(), outside());
        CHECK(group_gone);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "start: the first of when_any that ends at once has won") {
    run([]() -> task<> {
        std::string order;
        auto quick = [&order]() -> task<int> {
            order += "quick ";
            co_return 1;
        };
        auto slow = [&order]() -> task<int> {
            order += this_job::cancelled() ? "cancelled " : "slow ";
            co_await sleep_for(1h);
            co_return 2;
        };
        const time_point before = now();
        const auto winner = co_await when_any(quick(), slow());
        CHECK(winner.index() == 0);
        CHECK(order == "quick cancelled ");
        CHECK(now() == before);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "start: a range that can be read only once") {
    struct once { // an input_range without a size
        std::vector<task<int>> tasks;

        struct iterator {
            using value_type = task<int>;
            using difference_type = std::ptrdiff_t;
            std::vector<task<int>>::iterator at;

            task<int>& operator*() const { return *at; }

            iterator& operator++() {
                ++at;
                return *this;
            }

            void operator++(int) { ++at; }

            bool operator==(const iterator& other) const { return at == other.at; }
        };

        iterator begin() { return {tasks.begin()}; }

        iterator end() { return {tasks.end()}; }
    };

    static_assert(!std::ranges::forward_range<once>);
    run([]() -> task<> {
        auto value = [](int n) -> task<int> { co_return n; };
        once range;
        for (int i = 0; i < 5; ++i)
            range.tasks.push_back(value(i));
        const std::vector<int> all = co_await when_all(std::move(range));
        CHECK(all == std::vector<int>{0, 1, 2, 3, 4});
        const std::vector<int> none = co_await when_all(once());
        CHECK(none.empty());
    });
}
