// SPDX-License-Identifier: MIT
//
// mutable_buffer and const_buffer: where bytes go to and come from. A pointer and a size, borrowed:
// what they refer to must live until the operation that uses it has resumed.
//
// One rule: a buffer is all of what it is made from, be that a span, view, string, vector,
// std::array or array of bytes. Arrays of characters are not written: of "abc" four bytes are the
// array and three are meant. Write "abc"sv, or std::span(array) for all of an array.
#pragma once

#include "../memory/lifetime.hpp"
#include <concepts>
#include <cstddef>
#include <ranges>
#include <type_traits>

namespace coracle {

namespace detail {

template <class Type>
concept byte_like = sizeof(Type) == 1 && std::is_trivially_copyable_v<Type>;

template <class Type>
concept character = std::same_as<Type, char> || std::same_as<Type, char8_t>;

template <class Range>
concept bytes = std::ranges::contiguous_range<Range> && std::ranges::sized_range<Range> &&
                byte_like<std::remove_cv_t<std::ranges::range_value_t<Range>>>;

template <class Range>
concept writable_bytes =
    bytes<Range> &&
    !std::is_const_v<std::remove_reference_t<std::ranges::range_reference_t<Range>>>;

} // namespace detail

/// Bytes to read into.
class mutable_buffer {
public:
    constexpr mutable_buffer() noexcept = default;

    constexpr mutable_buffer(void* data, std::size_t size) noexcept : data_(data), size_(size) {}

    /// All of an array, vector, string or span of bytes or characters, at its present size.
    template <detail::writable_bytes Range>
        requires std::is_lvalue_reference_v<Range> || std::ranges::borrowed_range<Range>
    constexpr mutable_buffer(Range&& range) noexcept
        : data_(std::ranges::data(range)), size_(std::ranges::size(range)) {}

    [[nodiscard]] constexpr void* data() const noexcept { return data_; }

    [[nodiscard]] constexpr std::size_t size() const noexcept { return size_; }

private:
    void* data_ = nullptr;
    std::size_t size_ = 0;
};

/// Bytes to write.
class const_buffer {
public:
    constexpr const_buffer() noexcept = default;

    constexpr const_buffer(const void* data, std::size_t size) noexcept
        : data_(data), size_(size) {}

    constexpr const_buffer(mutable_buffer buffer) noexcept
        : data_(buffer.data()), size_(buffer.size()) {}

    /// All of a string, vector, std::array or array of bytes.
    template <detail::bytes Range>
        requires(!std::ranges::borrowed_range<Range>)
    constexpr const_buffer(const Range& range CORACLE_LIFETIMEBOUND) noexcept
        : data_(std::ranges::data(range)), size_(std::ranges::size(range)) {}

    /// All that a view or span refers to.
    template <detail::bytes Range>
        requires std::ranges::borrowed_range<Range>
    constexpr const_buffer(Range range) noexcept
        : data_(std::ranges::data(range)), size_(std::ranges::size(range)) {}

    template <detail::character Character, std::size_t Size>
    const_buffer(const Character (&write_literal_sv_or_span_of_array)[Size]) = delete;

    template <class Text>
        requires std::same_as<Text, const char*> || std::same_as<Text, char*>
    const_buffer(const Text& write_string_view_of_pointer) = delete;

    [[nodiscard]] constexpr const void* data() const noexcept { return data_; }

    [[nodiscard]] constexpr std::size_t size() const noexcept { return size_; }

private:
    const void* data_ = nullptr;
    std::size_t size_ = 0;
};

} // namespace coracle
