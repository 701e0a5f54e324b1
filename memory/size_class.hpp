// SPDX-License-Identifier: MIT
//
// The sizes in which frames are handed out: every 64 bytes to 1 KiB, then eight steps to
// each doubling up to 32 KiB. Each size is a multiple of 64, so every block starts on a cache line.
// Past 1 KiB a block is at most an eighth larger than what was asked for.
#pragma once

#include <bit>
#include <cstddef>

namespace coracle {

/// The step between the small classes, and the alignment of every pooled block.
inline constexpr std::size_t smallest_block_bytes = 64;

/// A frame larger than this is not pooled.
inline constexpr std::size_t largest_block_bytes = 32 * 1024;

namespace detail {

inline constexpr std::size_t linear_limit_bytes = 1024;
inline constexpr std::size_t linear_classes = linear_limit_bytes / smallest_block_bytes;
inline constexpr std::size_t steps_per_doubling = 8;

} // namespace detail

/// The class whose blocks hold `bytes`, which is at most largest_block_bytes.
constexpr std::size_t size_class_of(std::size_t bytes) noexcept {
    const std::size_t last = bytes - (bytes != 0 ? 1 : 0); // the offset of the last byte
    if (last < detail::linear_limit_bytes) {
        return last / smallest_block_bytes;
    }
    // The three bits below the highest one say which eighth of its doubling the size is in.
    const auto doubling = static_cast<std::size_t>(std::bit_width(last)) - 1;
    const std::size_t eighth = (last >> (doubling - 3)) % detail::steps_per_doubling;
    return detail::linear_classes + (doubling - 10) * detail::steps_per_doubling + eighth;
}

/// The bytes in one block of `size_class`.
constexpr std::size_t block_bytes_of(std::size_t size_class) noexcept {
    if (size_class < detail::linear_classes) {
        return (size_class + 1) * smallest_block_bytes;
    }
    const std::size_t beyond = size_class - detail::linear_classes;
    const std::size_t step_bytes = (detail::linear_limit_bytes / detail::steps_per_doubling)
                                   << (beyond / detail::steps_per_doubling);
    return (detail::steps_per_doubling + beyond % detail::steps_per_doubling + 1) * step_bytes;
}

/// How many classes there are.
inline constexpr std::size_t size_class_count = size_class_of(largest_block_bytes) + 1;

static_assert(block_bytes_of(size_class_count - 1) == largest_block_bytes);
static_assert(size_class_of(detail::linear_limit_bytes) + 1 == detail::linear_classes);
static_assert(block_bytes_of(size_class_of(1025)) == 1152);

} // namespace coracle
