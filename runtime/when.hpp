// SPDX-License-Identifier: MIT
//
// when_all and when_any: several awaitables at once, until all or one of them are done.
//
// Each runs as a job of its own below the awaiting one, and is begun in the order given: it runs
// until it first waits, and then the next one is begun. Neither returns before every one of them
// has ended: what is no longer wanted is cancelled and awaited.
#pragma once

#include "awaitable.hpp"
#include "scope_awaiter.hpp"
#include <cstddef>
#include <memory>
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

/// std::monostate in place of void.
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

/// The same for vectors and variants, with std::reference_wrapper in place of references.
template <class T>
using element_of = value_of<object_of<T>>;

template <class Range>
using range_result_t = await_result_t<std::ranges::range_value_t<Range>>;

template <class... T>
child* adopt_all(scope& parent, std::tuple<result_child<T>...>& children) noexcept {
    std::apply([&](auto&... each) { (parent.adopt(each), ...); }, children);
    return &std::get<0>(children);
}

/// The children of a range, all of them in one block of memory, where they stay.
template <class T>
class child_array {
public:
    template <class Range>
    explicit child_array(Range& awaited) {
        if constexpr (std::ranges::forward_range<Range>) {
            fill(awaited, static_cast<std::size_t>(std::ranges::distance(awaited)));
        } else { // its elements come only once, and are to be counted first
            std::vector<task<T>> tasks;
            for (auto&& each : awaited)
                tasks.push_back(as_task(std::move(each)));
            fill(tasks, tasks.size());
        }
    }

    ~child_array() { clear(); }

    child_array(const child_array&) = delete;
    child_array& operator=(const child_array&) = delete;

    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    [[nodiscard]] result_child<T>& operator[](std::size_t index) noexcept { return first_[index]; }

    [[nodiscard]] result_child<T>* begin() noexcept { return first_; }

    [[nodiscard]] result_child<T>* end() noexcept { return first_ + size_; }

    /// Returns the first one; null if there is none.
    [[nodiscard]] child* adopt_all(scope& parent) noexcept {
        for (result_child<T>& each : *this)
            parent.adopt(each);
        return size_ == 0 ? nullptr : first_;
    }

private:
    using child_type = result_child<T>;

    template <class Tasks>
    void fill(Tasks& tasks, std::size_t count) {
        if (count == 0)
            return;
        capacity_ = count;
        first_ = static_cast<child_type*>(allocate_frame(count * sizeof(child_type)));
        try {
            for (auto&& each : tasks) {
                std::construct_at(first_ + size_, as_task(std::move(each)));
                ++size_;
            }
        } catch (...) {
            clear();
            throw;
        }
    }

    void clear() noexcept {
        std::destroy(begin(), end());
        if (first_)
            deallocate_frame(first_, capacity_ * sizeof(child_type));
    }

    child_type* first_ = nullptr;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
};

/// The first child that ends decides the outcome; the others are cancelled.
class first_scope final : public scope {
public:
    first_scope() noexcept : scope("when_any") {}

    [[nodiscard]] const child* winner() const noexcept { return winner_; }

    /// Before the winner's failure is thrown, if it has failed.
    void remember_failure() const noexcept;

private:
    void ended(child& gone) noexcept override;

    child* winner_ = nullptr;
    lost_failures lost_{"a failure in when_any, after another one had ended first"};
};

/// The results of `Awaitables` together.
template <class... Awaitables>
using tuple_of_values =
    std::conditional_t<(std::is_void_v<await_result_t<Awaitables>> && ...), void,
                       std::tuple<value_of<await_result_t<Awaitables>>...>>;

template <class Range>
using vector_of_values = std::conditional_t<std::is_void_v<range_result_t<Range>>, void,
                                            std::vector<element_of<range_result_t<Range>>>>;

template <class... Awaitables>
class all_awaiter final : public scope_awaiter<all_awaiter<Awaitables...>> {
public:
    explicit all_awaiter(Awaitables&&... awaited) : children_(as_task(std::move(awaited))...) {}

    [[nodiscard]] failing_scope& scope() noexcept { return scope_; }

    [[nodiscard]] child* adopt_children() noexcept { return adopt_all(scope_, children_); }

    tuple_of_values<Awaitables...> finish() {
        scope_.rethrow();
        // Class template argument deduction would unpack a pair and copy what is referred to.
        using values = tuple_of_values<Awaitables...>;
        if constexpr (!std::is_void_v<values>)
            return std::apply([](auto&... each) { return values(take_value(each)...); }, children_);
    }

private:
    std::tuple<result_child<await_result_t<Awaitables>>...> children_;
    failing_scope scope_{"when_all"};
};

template <class Range>
class all_of_range_awaiter final : public scope_awaiter<all_of_range_awaiter<Range>> {
public:
    explicit all_of_range_awaiter(Range&& awaited) : children_(awaited) {}

    [[nodiscard]] failing_scope& scope() noexcept { return scope_; }

    [[nodiscard]] child* adopt_children() noexcept { return children_.adopt_all(scope_); }

    vector_of_values<Range> finish() {
        scope_.rethrow();
        if constexpr (!std::is_void_v<vector_of_values<Range>>) {
            vector_of_values<Range> values;
            values.reserve(children_.size());
            for (auto& each : children_)
                values.push_back(each.take());
            return values;
        }
    }

private:
    child_array<range_result_t<Range>> children_;
    failing_scope scope_{"when_all"};
};

template <class... Awaitables>
class any_awaiter final : public scope_awaiter<any_awaiter<Awaitables...>> {
public:
    explicit any_awaiter(Awaitables&&... awaited) : children_(as_task(std::move(awaited))...) {}

    [[nodiscard]] first_scope& scope() noexcept { return scope_; }

    [[nodiscard]] child* adopt_children() noexcept { return adopt_all(scope_, children_); }

    std::variant<element_of<await_result_t<Awaitables>>...> finish() {
        scope_.remember_failure();
        return finish(std::index_sequence_for<Awaitables...>());
    }

private:
    using outcome = std::variant<element_of<await_result_t<Awaitables>>...>;

    template <std::size_t... Index>
    outcome finish(std::index_sequence<Index...>) {
        std::optional<outcome> won;
        ((scope_.winner() == &std::get<Index>(children_)
              ? void(
                    won.emplace(std::in_place_index<Index>, take_value(std::get<Index>(children_))))
              : void()),
         ...);
        return std::move(*won);
    }

    std::tuple<result_child<await_result_t<Awaitables>>...> children_;
    first_scope scope_;
};

} // namespace detail

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

namespace detail {

template <class Range>
class any_of_range_awaiter final : public scope_awaiter<any_of_range_awaiter<Range>> {
public:
    explicit any_of_range_awaiter(Range&& awaited) : children_(awaited) {
        if (children_.size() == 0)
            throw std::invalid_argument("when_any of nothing would wait for ever");
    }

    [[nodiscard]] first_scope& scope() noexcept { return scope_; }

    [[nodiscard]] child* adopt_children() noexcept { return children_.adopt_all(scope_); }

    any_result<element_of<range_result_t<Range>>> finish() {
        scope_.remember_failure();
        std::size_t index = 0;
        while (scope_.winner() != &children_[index])
            ++index;
        return {index, take_value(children_[index])};
    }

private:
    child_array<range_result_t<Range>> children_;
    first_scope scope_;
};

} // namespace detail

/// Runs all and returns their results as a tuple in the order given, with std::monostate for void;
/// nothing at all if every one is void.
///
/// errors   the first exception cancels the others and is thrown when they have ended
template <awaitable... Awaitables>
    requires(sizeof...(Awaitables) > 0)
[[nodiscard]] auto when_all(Awaitables... awaited) {
    return detail::awaitable_parts<detail::all_awaiter<Awaitables...>, Awaitables...>(
        std::move(awaited)...);
}

/// Runs all of a range, and returns their results as a vector in the same order, with
/// std::reference_wrapper for references; nothing if void.
///
/// errors   the first exception cancels the others and is thrown when they have ended
template <std::ranges::input_range Range>
    requires awaitable<std::ranges::range_value_t<Range>>
[[nodiscard]] auto when_all(Range awaited) {
    return detail::awaitable_parts<detail::all_of_range_awaiter<Range>, Range>(std::move(awaited));
}

/// Runs all until the first one ends, then cancels and awaits the others. Returns a variant whose
/// index tells which one it was, with std::monostate for void and std::reference_wrapper for
/// references.
///
/// errors   the exception of the one that ended first. The result of any other is destroyed, so
///          that a socket accepted too late is closed, and bytes that a read took too late are
///          lost; the first exception of another, other than having been cancelled, becomes a
///          warning, and one more warning counts those after it
template <awaitable... Awaitables>
    requires(sizeof...(Awaitables) > 0)
[[nodiscard]] auto when_any(Awaitables... awaited) {
    return detail::awaitable_parts<detail::any_awaiter<Awaitables...>, Awaitables...>(
        std::move(awaited)...);
}

/// The same of a range, of which at least one element is needed (else std::invalid_argument).
template <std::ranges::input_range Range>
    requires awaitable<std::ranges::range_value_t<Range>>
[[nodiscard]] auto when_any(Range awaited) {
    return detail::awaitable_parts<detail::any_of_range_awaiter<Range>, Range>(std::move(awaited));
}

} // namespace coracle
