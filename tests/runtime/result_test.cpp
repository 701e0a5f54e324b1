// SPDX-License-Identifier: MIT
//
// result, and awaiting as one: errors without exceptions.
#include "virtual_loop.hpp"

#include <coracle/runtime/awaitable.hpp>
#include <coracle/runtime/result.hpp>
#include <coracle/runtime/sleep.hpp>
#include <coracle/runtime/sync/event.hpp>
#include <coracle/runtime/timeout.hpp>
#include <doctest/doctest.h>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

using namespace coracle;
using namespace coracle::test;
using namespace std::chrono_literals;

namespace {

const std::error_code refused = std::make_error_code(std::errc::connection_refused);

} // namespace

TEST_CASE("result: a value") {
    result<std::string> text(std::string("here"));
    CHECK(text.has_value());
    CHECK(static_cast<bool>(text));
    CHECK_FALSE(text.error());
    CHECK(text.value() == "here");
    CHECK(*text == "here");
    CHECK(text->size() == 4);
    CHECK(text.value_or("other") == "here");
    text.value() += " and there";
    CHECK(*std::as_const(text) == "here and there");
    CHECK(std::as_const(text).value() == "here and there");
    CHECK(std::move(text).value() == "here and there");
}

TEST_CASE("result: an error") {
    const result<std::string> failed(refused);
    CHECK_FALSE(failed.has_value());
    CHECK_FALSE(static_cast<bool>(failed));
    CHECK(failed.error() == std::errc::connection_refused);
    CHECK(failed.value_or("other") == "other");
    bool thrown = false;
    try {
        static_cast<void>(failed.value());
    } catch (const std::system_error& error) {
        thrown = error.code() == refused;
    }
    CHECK(thrown);
}

TEST_CASE("result: move-only values are moved out, or left where they are") {
    result<std::unique_ptr<int>> owner(std::make_unique<int>(3));
    const std::unique_ptr<int>& kept = owner.value();
    CHECK(*kept == 3);
    CHECK(**owner == 3);
    const std::unique_ptr<int> taken = std::move(owner).value();
    CHECK(*taken == 3);
    CHECK(kept == nullptr);
    result<std::unique_ptr<int>> failed(refused);
    CHECK(std::move(failed).value_or(nullptr) == nullptr);
}

TEST_CASE("result: of nothing") {
    const result<void> done;
    CHECK(done.has_value());
    CHECK_NOTHROW(done.value());
    const result<void> failed(refused);
    CHECK_FALSE(failed);
    CHECK(failed.error() == refused);
    CHECK_THROWS_AS(failed.value(), std::system_error);
}

TEST_CASE("result: the value of what was cancelled throws cancelled") {
    const result<void> ended(detail::cancelled_code());
    CHECK(ended.error() == std::errc::operation_canceled);
    CHECK_THROWS_AS(ended.value(), cancelled);
    const result<int> owed(detail::cancelled_code());
    CHECK_THROWS_AS(static_cast<void>(owed.value()), cancelled);
    // What the system calls so is an error like any other.
    const result<void> closed(std::make_error_code(std::errc::operation_canceled));
    CHECK_THROWS_AS(closed.value(), std::system_error);
}

TEST_CASE_FIXTURE(virtual_loop, "as_result: of an operation, in time and too late") {
    run([]() -> task<> {
        const result<void> slept = co_await as_result(sleep_for(1ms));
        CHECK(slept);
        event flag(true);
        const result<void> passed = co_await as_result(flag.wait());
        CHECK(passed);
        const result<void> yielded = co_await as_result(yield());
        CHECK(yielded);
        auto timed = [&flag]() -> task<> {
            flag.reset();
            const result<void> waited = co_await as_result(flag.wait());
            CHECK(waited.error() == std::errc::operation_canceled);
            const result<void> given_way = co_await as_result(yield());
            CHECK(given_way.error() == std::errc::operation_canceled);
        };
        co_await with_timeout(1ms, timed());
    });
}

TEST_CASE_FIXTURE(virtual_loop,
                  "as_result: of a task, value, reference, move-only value, void and error") {
    run([]() -> task<> {
        auto value = []() -> task<int> { co_return 3; };
        auto owner = []() -> task<std::unique_ptr<int>> { co_return std::make_unique<int>(4); };
        auto nothing = []() -> task<> { co_return; };
        auto fails = []() -> task<int> {
            co_await sleep_for(1ms);
            throw std::system_error(refused);
        };
        auto fails_void = []() -> task<> {
            throw std::system_error(refused);
            co_return;
        };
        int object = 0;
        auto reference = [&object]() -> task<int&> { co_return object; };
        const result<std::reference_wrapper<int>> same = co_await as_result(reference());
        CHECK(&same.value().get() == &object);
        const result<int> three = co_await as_result(value());
        CHECK(three.value() == 3);
        result<std::unique_ptr<int>> four = co_await as_result(owner());
        CHECK(*std::move(four).value() == 4);
        const result<void> done = co_await as_result(nothing());
        CHECK(done);
        const result<int> failed = co_await as_result(fails());
        CHECK(failed.error() == refused);
        const result<void> failed_void = co_await as_result(fails_void());
        CHECK(failed_void.error() == refused);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "as_result: other exceptions pass through it") {
    run([]() -> task<> {
        auto fails = []() -> task<int> {
            co_await sleep_for(1ms);
            throw std::out_of_range("not a system_error");
        };
        const std::string failure = co_await failure_of(as_result(fails()));
        CHECK(failure == "not a system_error");
    });
}

TEST_CASE_FIXTURE(virtual_loop, "as_result: an operation that has a name is awaited by moving it") {
    run([]() -> task<> {
        const time_point start = now();
        sleep_operation named = sleep_for(1ms);
        co_await std::move(named);
        auto slept = as_result(sleep_for(2ms));
        const result<void> end = co_await std::move(slept);
        CHECK(end);
        CHECK(now() > start + 1ms);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "as_result: it can be given to whatever takes an awaitable") {
    run([]() -> task<> {
        event never;
        const result<void> waited = co_await with_timeout(1ms, as_result(never.wait()));
        CHECK(waited.error() == std::errc::operation_canceled);
        const result<void> timed = co_await as_result(with_timeout(1ms, never.wait()));
        CHECK(timed.error() == std::errc::timed_out);
    });
}

TEST_CASE_FIXTURE(virtual_loop, "as_result: a system_error without a code is not a success") {
    run([]() -> task<> {
        auto fails = []() -> task<> {
            throw std::system_error(std::error_code(), "forgot errno");
            co_return;
        };
        auto tries = [&]() -> task<> { static_cast<void>(co_await as_result(fails())); };
        const std::string thrown = co_await failure_of(tries());
        CHECK(thrown.starts_with("forgot errno"));
    });
}
