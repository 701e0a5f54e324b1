// SPDX-License-Identifier: MIT
//
// when_all and when_any: several awaitables at once, until all or one of them are done.
//
// Each runs as a job of its own below the awaiting one. Neither returns before every one of them
// has ended: what is no longer wanted is cancelled and awaited.
#pragma once

#include "awaitable.hpp"
#include "diagnostics/warning.hpp"
#include "scope.hpp"
#include <cstddef>
#include <deque>
#include <iterator>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace coracle {

namespace detail {

/// void has no values; std::monostate stands for it among others.
template <class T>
using value_of = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

template <class T>
value_of<T> take_value(result_child<T>& ended) {
    if constexpr (std::is_void_v<T>) {
        ended.take();
        return {};
    } else {
        return ended.take();
    }
}

/// What stands for it in a vector or a variant, which cannot hold references either.
template <class T>
using element_of = value_of<object_of<T>>;

template <class Range>
using range_result_t = await_result_t<std::ranges::range_value_t<Range>>;

/// The children of a range, which stay where they are made.
template <class Range>
std::deque<result_child<range_result_t<Range>>> children_of(Range& awaited) {
    std::deque<result_child<range_result_t<Range>>> children;
    for (auto&& each : awaited)
        children.emplace_back(as_task(std::move(each)));
    return children;
}

/// Ends with the first child that ends, whose outcome is the outcome; the others are cancelled.
class first_scope final : public scope {
public:
    first_scope() noexcept : scope("when_any") {}

    template <class T>
    void start(result_child<T>& added) noexcept {
        adopt(added);
        added.begin();
    }

    [[nodiscard]] const child* winner() const noexcept { return winner_; }

private:
    void ended(child& gone) noexcept override;

    child* winner_ = nullptr;
    lost_failures lost_{"a failure in when_any, after another one had ended first"};
};

} // namespace detail

/// Runs all and returns their results as a tuple in the order given, with std::monostate for void;
/// nothing at all if every one is void.
///
/// errors   the first exception cancels the others and is thrown when they have ended
template <awaitable... Awaitables>
    requires(sizeof...(Awaitables) > 0)
auto when_all(Awaitables... awaited)
    -> task<std::conditional_t<(std::is_void_v<await_result_t<Awaitables>> && ...), void,
                               std::tuple<detail::value_of<await_result_t<Awaitables>>...>>> {
    detail::failing_scope all("when_all");
    std::tuple<detail::result_child<await_result_t<Awaitables>>...> children(
        detail::as_task(std::move(awaited))...);
    std::apply([&all](auto&... each) { (all.start(each), ...); }, children);
    co_await all.join();
    all.rethrow();
    if constexpr (!(std::is_void_v<await_result_t<Awaitables>> && ...)) {
        // The type is named, since deduced it would take a pair apart and copy what is referred to.
        using values = std::tuple<detail::value_of<await_result_t<Awaitables>>...>;
        co_return std::apply([](auto&... each) { return values(detail::take_value(each)...); },
                             children);
    }
}

/// Runs all of a range, and returns their results as a vector in the same order, with
/// std::reference_wrapper for references; nothing if void.
///
/// errors   the first exception cancels the others and is thrown when they have ended
template <std::ranges::input_range Range>
    requires awaitable<std::ranges::range_value_t<Range>>
auto when_all(Range awaited)
    -> task<std::conditional_t<std::is_void_v<detail::range_result_t<Range>>, void,
                               std::vector<detail::element_of<detail::range_result_t<Range>>>>> {
    detail::failing_scope all("when_all");
    auto children = detail::children_of(awaited);
    for (auto& each : children)
        all.start(each);
    co_await all.join();
    all.rethrow();
    if constexpr (!std::is_void_v<detail::range_result_t<Range>>) {
        std::vector<detail::element_of<detail::range_result_t<Range>>> values;
        values.reserve(children.size());
        for (auto& each : children)
            values.push_back(each.take());
        co_return values;
    }
}

/// Runs all until the first one ends, then cancels and awaits the others. Returns a variant whose
/// index tells which one it was, with std::monostate for void and std::reference_wrapper for
/// references.
///
/// errors   the exception of the one that ended first. The result of any other is destroyed, so
///          that a socket accepted too late is closed, and bytes that a read took too late are
///          lost; the first exception of another, other than having been cancelled, becomes a
///          notice, and one more warning counts those after it
template <awaitable... Awaitables>
    requires(sizeof...(Awaitables) > 0)
task<std::variant<detail::element_of<await_result_t<Awaitables>>...>>
when_any(Awaitables... awaited) {
    using outcome = std::variant<detail::element_of<await_result_t<Awaitables>>...>;
    detail::first_scope any;
    std::tuple<detail::result_child<await_result_t<Awaitables>>...> children(
        detail::as_task(std::move(awaited))...);
    std::apply([&any](auto&... each) { (any.start(each), ...); }, children);
    co_await any.join();
    std::optional<outcome> won;
    [&]<std::size_t... Index>(std::index_sequence<Index...>) {
        ((any.winner() == &std::get<Index>(children)
              ? void(won.emplace(std::in_place_index<Index>,
                                 detail::take_value(std::get<Index>(children))))
              : void()),
         ...);
    }(std::index_sequence_for<Awaitables...>());
    co_return std::move(*won);
}

/// What when_any of a range gives: which one ended first, and its value.
template <class T>
class any_result {
public:
    any_result(std::size_t index, T value) : index_(index), value_(std::move(value)) {}

    [[nodiscard]] std::size_t index() const noexcept { return index_; }

    [[nodiscard]] T& value() noexcept { return value_; }

    [[nodiscard]] const T& value() const noexcept { return value_; }

private:
    std::size_t index_;
    T value_;
};

/// The same of a range, of which at least one element is needed (else std::invalid_argument).
template <std::ranges::input_range Range>
    requires awaitable<std::ranges::range_value_t<Range>>
task<any_result<detail::element_of<detail::range_result_t<Range>>>> when_any(Range awaited) {
    using value = detail::element_of<detail::range_result_t<Range>>;
    detail::first_scope any;
    auto children = detail::children_of(awaited);
    if (children.empty())
        throw std::invalid_argument("when_any of nothing would wait for ever");
    for (auto& each : children)
        any.start(each);
    co_await any.join();
    std::size_t index = 0;
    while (any.winner() != &children[index])
        ++index;
    co_return any_result<value>(index, detail::take_value(children[index]));
}

} // namespace coracle
