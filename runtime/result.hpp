// SPDX-License-Identifier: MIT
//
// result: a value, or the error code of why there is none. The subset of std::expected that
// `co_await as_result(...)` needs: errors without exceptions.
#pragma once

#include <optional>
#include <system_error>
#include <type_traits>
#include <utility>

namespace coracle {

template <class T>
class [[nodiscard]] result {
public:
    using value_type = T;

    result(T value) : value_(std::move(value)) {}

    result(std::error_code error) noexcept : error_(error) {}

    [[nodiscard]] bool has_value() const noexcept { return value_.has_value(); }

    [[nodiscard]] explicit operator bool() const noexcept { return has_value(); }

    /// Why there is no value; an empty code if there is one.
    [[nodiscard]] std::error_code error() const noexcept { return error_; }

    /// The value; throws std::system_error with the error if there is none.
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
            throw std::system_error(error_);
    }

    std::optional<T> value_;
    std::error_code error_;
};

template <>
class [[nodiscard]] result<void> {
public:
    using value_type = void;

    result() noexcept = default;

    result(std::error_code error) noexcept : error_(error) {}

    [[nodiscard]] bool has_value() const noexcept { return !error_; }

    [[nodiscard]] explicit operator bool() const noexcept { return has_value(); }

    [[nodiscard]] std::error_code error() const noexcept { return error_; }

    void value() const {
        if (error_)
            throw std::system_error(error_);
    }

private:
    std::error_code error_;
};

namespace detail {

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

[[nodiscard]] inline std::error_code cancelled_code() noexcept {
    return std::make_error_code(std::errc::operation_canceled);
}

} // namespace detail

} // namespace coracle
