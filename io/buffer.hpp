// SPDX-License-Identifier: MIT
//
// mutable_buffer and const_buffer: where bytes go to and come from. A pointer and a size, borrowed:
// what they refer to must live until the operation that uses it has resumed.
#pragma once

#include <cstddef>
#include <cstring>
#include <ranges>
#include <string_view>
#include <type_traits>

namespace coracle {

namespace detail {

template <class Type>
concept byte_like = sizeof(Type) == 1 && std::is_trivially_copyable_v<Type>;

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

    /// The text of a literal, without its terminator.
    template <std::size_t Size>
    constexpr const_buffer(const char (&literal)[Size]) noexcept
        : data_(literal), size_(literal[Size - 1] == '\0' ? Size - 1 : Size) {}

    /// Text up to its terminator.
    template <class Text>
        requires std::is_same_v<Text, const char*> || std::is_same_v<Text, char*>
    constexpr const_buffer(const Text& text) noexcept
        : data_(text), size_(std::char_traits<char>::length(text)) {}

    /// All of an array, whatever is in it.
    template <std::size_t Size>
    constexpr const_buffer(char (&array)[Size]) noexcept : data_(array), size_(Size) {}

    /// All of an array, vector, string, view or span of bytes or characters.
    template <detail::bytes Range>
        requires(!std::is_array_v<std::remove_cvref_t<Range>> &&
                 !std::is_same_v<std::remove_cvref_t<Range>, const_buffer>)
    constexpr const_buffer(const Range& range) noexcept
        : data_(std::ranges::data(range)), size_(std::ranges::size(range)) {}

    /// All of an array of bytes.
    template <detail::byte_like Byte, std::size_t Size>
        requires(!std::is_same_v<Byte, char>)
    constexpr const_buffer(const Byte (&array)[Size]) noexcept : data_(array), size_(Size) {}

    [[nodiscard]] constexpr const void* data() const noexcept { return data_; }

    [[nodiscard]] constexpr std::size_t size() const noexcept { return size_; }

private:
    const void* data_ = nullptr;
    std::size_t size_ = 0;
};

} // namespace coracle
