// SPDX-License-Identifier: MIT
//
// result: a value, or the error code of why there is none. The subset of std::expected that
// `co_await as_result(...)` needs: errors without exceptions.
#pragma once

#include "cancelled.hpp"
#include <functional>
#include <optional>
#include <system_error>
#include <type_traits>
#include <utility>

namespace coracle {

namespace detail {

/// An error code or none. To make an empty one is cheaper than std::error_code(), which calls
/// std::system_category().
class failure {
public:
    failure() noexcept = default;

    failure(std::error_code code) noexcept
        : category_(code ? &code.category() : nullptr), value_(code.value()) {}

    [[nodiscard]] explicit operator bool() const noexcept { return category_ != nullptr; }

    [[nodiscard]] std::error_code code() const noexcept {
        return category_ ? std::error_code(value_, *category_) : std::error_code();
    }

private:
    const std::error_category* category_ = nullptr;
    int value_ = 0; // the last, so that what follows can use the padding
};

} // namespace detail

template <class T>
class [[nodiscard]] result {
    static_assert(!std::is_reference_v<T>, "a result of a reference is one of a "
                                           "std::reference_wrapper");

public:
    using value_type = T;

    result(T value) : value_(std::move(value)) {}

    result(std::error_code error) noexcept : failure_(error) {}

    result(detail::failure error) noexcept : failure_(error) {}

    [[nodiscard]] bool has_value() const noexcept { return value_.has_value(); }

    [[nodiscard]] explicit operator bool() const noexcept { return has_value(); }

    /// Why there is no value; an empty code if there is one.
    [[nodiscard]] std::error_code error() const noexcept { return failure_.code(); }

    /// The value. If there is none it throws: `cancelled` if the await was cancelled, else
    /// std::system_error with the error.
    [[nodiscard]] T& value() & { return throw_if_error(), *value_; }

    [[nodiscard]] const T& value() const& { return throw_if_error(), *value_; }

    [[nodiscard]] T&& value() && { return throw_if_error(), std::move(*value_); }

    template <class U>
    [[nodiscard]] T value_or(U&& otherwise) const& {
        return value_ ? *value_ : static_cast<T>(std::forward<U>(otherwise));
    }

    template <class U>
    [[nodiscard]] T value_or(U&& otherwise) && {
        return value_ ? std::move(*value_) : static_cast<T>(std::forward<U>(otherwise));
    }

    /// The value, which must be there.
    [[nodiscard]] T& operator*() & noexcept { return *value_; }

    [[nodiscard]] const T& operator*() const& noexcept { return *value_; }

    [[nodiscard]] T&& operator*() && noexcept { return std::move(*value_); }

    [[nodiscard]] T* operator->() noexcept { return &*value_; }

    [[nodiscard]] const T* operator->() const noexcept { return &*value_; }

private:
    void throw_if_error() const {
        if (!value_)
            detail::throw_error(failure_.code());
    }

    std::optional<T> value_;
    detail::failure failure_;
};

template <>
class [[nodiscard]] result<void> {
public:
    using value_type = void;

    result() noexcept = default;

    result(std::error_code error) noexcept : failure_(error) {}

    result(detail::failure error) noexcept : failure_(error) {}

    [[nodiscard]] bool has_value() const noexcept { return !failure_; }

    [[nodiscard]] explicit operator bool() const noexcept { return has_value(); }

    [[nodiscard]] std::error_code error() const noexcept { return failure_.code(); }

    void value() const {
        if (failure_)
            detail::throw_error(failure_.code());
    }

private:
    detail::failure failure_;
};

namespace detail {

/// A reference as an object, for what can hold objects only; any other type unchanged.
template <class T>
using object_of = std::conditional_t<std::is_reference_v<T>,
                                     std::reference_wrapper<std::remove_reference_t<T>>, T>;

/// What `function` returns, or the code of the std::system_error or `cancelled` that it throws.
template <class Function>
[[nodiscard]] result<object_of<std::invoke_result_t<Function&>>> result_from(Function function) {
    try {
        if constexpr (std::is_void_v<std::invoke_result_t<Function&>>) {
            function();
            return {};
        } else {
            return result<object_of<std::invoke_result_t<Function&>>>(function());
        }
    } catch (const cancelled&) {
        return cancelled_code();
    } catch (const std::system_error& error) {
        if (!error.code())
            throw; // as a result it would be a success
        return error.code();
    }
}

/// The value of a result; throws its error.
template <class T>
T value_of_result(result<object_of<T>>&& from) {
    if constexpr (std::is_void_v<T>)
        from.value();
    else if constexpr (std::is_reference_v<T>)
        return from.value().get();
    else
        return std::move(from).value();
}

/// A value that is not there yet, whatever its type: an object, a reference, or nothing.
template <class T>
class stored {
public:
    template <class U>
    void set(U&& value) {
        value_.emplace(std::forward<U>(value));
    }

    [[nodiscard]] T take() { return std::move(*value_); }

private:
    std::optional<T> value_;
};

template <class T>
class stored<T&> {
public:
    void set(T& value) noexcept { value_ = &value; }

    [[nodiscard]] T& take() const noexcept { return *value_; }

private:
    T* value_ = nullptr;
};

template <>
class stored<void> {
public:
    void take() const noexcept {}
};

} // namespace detail

} // namespace coracle
