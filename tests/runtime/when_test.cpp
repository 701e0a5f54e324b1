// SPDX-License-Identifier: MIT
//
// when_all and when_any: which results come back, who is cancelled, and that nobody is left behind.
#include "virtual_loop.hpp"

#include <coracle/runtime/awaitable.hpp>
#include <coracle/runtime/sleep.hpp>
#include <coracle/runtime/sync/event.hpp>
#include <coracle/runtime/timeout.hpp>
#include <coracle/runtime/when.hpp>
#include <doctest/doctest.h>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

using namespace coracle;
using namespace coracle::test;
using namespace std::chrono_literals;

namespace {

template <class T>
task<T> after(std::chrono::milliseconds delay, T value) {
    co_await sleep_for(delay);
    co_return value;
}

task<std::unique_ptr<int>> owner_after(std::chrono::milliseconds delay, int value) {
    co_await sleep_for(delay);
    co_return std::make_unique<int>(value);
}

task<int> fails_after(std::chrono::milliseconds delay, const char* words) {
    co_await sleep_for(delay);
    throw std::runtime_error(words);
}

task<> waits(std::string& ends) {
    const result<void> slept = co_await as_result(sleep_until(time_point::max()));
    ends += slept ? "woken " : "cancelled ";
    slept.value();
}

/// Ends well `delay` after it has been cancelled, with a value that comes too late.
task<counted> late(int& alive, std::chrono::milliseconds delay) {
    static_cast<void>(co_await as_result(sleep_until(time_point::max())));
    co_await shielded(sleep_for(delay));
    co_return counted(alive);
}

task<> fails_when_cancelled(const char* words) {
    static_cast<void>(co_await as_result(sleep_until(time_point::max())));
    throw std::runtime_error(words);
}

} // namespace

TEST_CASE_FIXTURE(virtual_loop, "when_all: all run at once, and their values come in order") {
    run([]() -> task<> {
        const time_point start = now();
        const auto [text, number, owner] =
            co_await when_all(after(3ms, std::string("slow")), after(1ms, 5), owner_after(2ms, 6));
        CHECK(text == "slow");
        CHECK(number == 5);
        CHECK(*owner == 6);
        CHECK(now() == start + 3ms);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "when_all: operations and tasks, with monostate for void") {
    run([]() -> task<> {
        const time_point start = now();
        event flag;
        auto setter = [&flag]() -> task<> {
            flag.set();
            co_return;
        };
        auto values =
            co_await when_all(sleep_for(2ms), after(1ms, 4), flag.wait(), yield(), setter());
        static_assert(
            std::is_same_v<decltype(values), std::tuple<std::monostate, int, std::monostate,
                                                        std::monostate, std::monostate>>);
        CHECK(std::get<1>(values) == 4);
        CHECK(now() == start + 2ms);
    });
}

TEST_CASE_FIXTURE(virtual_loop,
                  "when_all: nothing but void gives void; one alone is a tuple of one") {
    run([]() -> task<> {
        const time_point start = now();
        static_assert(std::is_void_v<await_result_t<decltype(when_all(sleep_for(1ms), yield()))>>);
        co_await when_all(sleep_for(1ms), sleep_for(2ms));
        CHECK(now() == start + 2ms);
        const auto [only] = co_await when_all(after(1ms, 3));
        CHECK(only == 3);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "when_all: a value that is a tuple or a pair stays one value") {
    run([]() -> task<> {
        const auto [pair] = co_await when_all(after(1ms, std::pair(1, 2)));
        CHECK(pair == std::pair(1, 2));
        const auto [tuple] = co_await when_all(after(1ms, std::tuple(3)));
        CHECK(tuple == std::tuple(3));
    });
}

TEST_CASE_FIXTURE(virtual_loop, "when_all: references refer to the same object") {
    run([]() -> task<> {
        int object = 0;
        auto reference = [&object]() -> task<int&> { co_return object; };
        auto values = co_await when_all(reference(), after(1ms, 2));
        CHECK(&std::get<0>(values) == &object);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "when: references in vectors and variants are wrapped") {
    run([]() -> task<> {
        int object = 0;
        const int constant = 0;
        auto reference = [&object]() -> task<int&> { co_return object; };
        auto constant_reference = [&constant]() -> task<const int&> { co_return constant; };
        const auto two = [&] {
            std::vector<task<int&>> tasks;
            tasks.push_back(reference());
            tasks.push_back(reference());
            return tasks;
        };

        const std::vector<std::reference_wrapper<int>> all = co_await when_all(two());
        REQUIRE(all.size() == 2);
        CHECK(&all[1].get() == &object);

        const auto of_two = co_await when_any(two());
        CHECK(of_two.index() == 0);
        CHECK(&of_two.value().get() == &object);

        const auto any = co_await when_any(after(1ms, 2), constant_reference());
        REQUIRE(any.index() == 1);
        CHECK(&std::get<1>(any).get() == &constant);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "when_all: of a range, in the range's order") {
    run([]() -> task<> {
        const time_point start = now();
        std::vector<task<std::unique_ptr<int>>> owners;
        for (int i = 0; i < 50; ++i)
            owners.push_back(owner_after(std::chrono::milliseconds(50 - i), i));
        const auto values = co_await when_all(std::move(owners));
        REQUIRE(values.size() == 50);
        for (std::size_t i = 0; i < values.size(); ++i)
            CHECK(*values[i] == static_cast<int>(i));
        CHECK(now() == start + 50ms);

        std::vector<decltype(as_result(sleep_for(1ms)))> sleeps;
        sleeps.push_back(as_result(sleep_for(1ms)));
        sleeps.push_back(as_result(sleep_for(4ms)));
        const std::vector<result<void>> slept = co_await when_all(std::move(sleeps));
        CHECK(slept.size() == 2);
        CHECK(now() == start + 54ms);
        co_await when_all(std::vector<task<>>());
        const auto none = co_await when_all(std::vector<task<int>>());
        CHECK(none.empty());
        CHECK(now() == start + 54ms);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "when_all: the first exception cancels the others and is thrown") {
    const collected_warnings warnings;
    int alive = 0;
    run([&alive]() -> task<> {
        const time_point start = now();
        std::string ends;
        auto sum = [&]() -> task<> {
            static_cast<void>(co_await when_all(waits(ends), after(1ms, counted(alive)),
                                                fails_after(2ms, "first"), late(alive, 5ms),
                                                fails_when_cancelled("second")));
        };
        const std::string failure = co_await failure_of(sum());
        CHECK(failure == "first");
        CHECK(ends == "cancelled ");
        CHECK(now() == start + 7ms); // the late one has been awaited
        CHECK(alive == 0);

        std::vector<task<int>> many;
        many.push_back(after(9ms, 1));
        many.push_back(fails_after(1ms, "of a range"));
        auto of_range = [&]() -> task<> { static_cast<void>(co_await when_all(std::move(many))); };
        const std::string range_failure = co_await failure_of(of_range());
        CHECK(range_failure == "of a range");
        CHECK(now() == start + 8ms);
    });
    REQUIRE(collected_warnings::all().size() == 1);
    const std::string said = collected_warnings::all()[0];
    CHECK(said.starts_with("a second failure, after the one that is thrown, "));
    CHECK(said.find("fails_when_cancelled(const char") != std::string::npos);
    CHECK(said.ends_with(": second"));
}

TEST_CASE_FIXTURE(virtual_loop, "when_any: the first value wins, the others are cancelled") {
    run([]() -> task<> {
        const time_point start = now();
        std::string ends;
        const auto first =
            co_await when_any(waits(ends), after(2ms, 7), after(3ms, std::string("slower")));
        REQUIRE(first.index() == 1);
        CHECK(std::get<1>(first) == 7);
        CHECK(ends == "cancelled ");
        CHECK(now() == start + 2ms);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "when_any: the first of the same moment wins, by order given") {
    run([]() -> task<> {
        auto at_once = [](int value) -> task<int> { co_return value; };
        const auto first = co_await when_any(at_once(1), at_once(2), at_once(3));
        CHECK(first.index() == 0);
        CHECK(std::get<0>(first) == 1);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "when_any: move-only values, operations and void") {
    run([]() -> task<> {
        auto owner = co_await when_any(owner_after(1ms, 3), sleep_for(2ms));
        REQUIRE(owner.index() == 0);
        CHECK(*std::get<0>(owner) == 3);
        event never;
        const auto nothing = co_await when_any(owner_after(5ms, 3), sleep_for(2ms), never.wait());
        CHECK(nothing.index() == 1);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "when_any: losers are awaited, and their late results destroyed") {
    int alive = 0;
    run([&alive]() -> task<> {
        const time_point start = now();
        const auto first = co_await when_any(late(alive, 5ms), sleep_for(1ms), late(alive, 8ms));
        CHECK(first.index() == 1);
        CHECK(alive == 0);
        CHECK(now() == start + 9ms);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "when_any: the first to end may end with an exception") {
    const collected_warnings warnings;
    run([]() -> task<> {
        std::string ends;
        auto any = [&]() -> task<> {
            static_cast<void>(co_await when_any(waits(ends), fails_after(1ms, "winner"),
                                                fails_when_cancelled("loser"), after(9ms, 1)));
        };
        const std::string failure = co_await failure_of(any());
        CHECK(failure == "winner");
        CHECK(ends == "cancelled ");
    });
    REQUIRE(collected_warnings::all().size() == 1);
    const std::string said = collected_warnings::all()[0];
    CHECK(said.starts_with("a failure in when_any, after another one had ended first, "));
    CHECK(said.ends_with(": loser"));
}

TEST_CASE_FIXTURE(virtual_loop, "when_any: of a range") {
    run([]() -> task<> {
        const time_point start = now();
        std::vector<task<std::unique_ptr<int>>> owners;
        for (int i = 0; i < 20; ++i)
            owners.push_back(owner_after(std::chrono::milliseconds((i + 13) % 20 + 1), i));
        auto first = co_await when_any(std::move(owners));
        CHECK(first.index() == 7);
        CHECK(*first.value() == 7);
        CHECK(now() == start + 1ms);

        std::vector<decltype(as_result(sleep_for(1ms)))> sleeps;
        sleeps.push_back(as_result(sleep_for(4ms)));
        sleeps.push_back(as_result(sleep_for(1ms)));
        const auto shortest = co_await when_any(std::move(sleeps));
        CHECK(shortest.index() == 1);
        CHECK(now() == start + 2ms);

        auto of_nothing = []() -> task<> {
            static_cast<void>(co_await when_any(std::vector<task<int>>()));
        };
        const std::string failure = co_await failure_of(of_nothing());
        CHECK(failure == "when_any of nothing would wait for ever");
    });
}

TEST_CASE_FIXTURE(virtual_loop, "when: awaited never, it frees what it was given") {
    int alive = 0;
    {
        const auto all = when_all(late(alive, 1ms), after(1ms, 1));
        const auto any = when_any(late(alive, 1ms), after(1ms, counted(alive)));
        CHECK(alive == 1);
    }
    CHECK(alive == 0);
}
