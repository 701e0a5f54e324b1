// SPDX-License-Identifier: MIT
//
// error: what can go wrong that no operating system has a code for.
#pragma once

#include <system_error>

namespace coracle {

enum class error {
    /// The stream ended in the middle of what had to be read whole.
    unexpected_end = 1,
    /// A line is longer than the limit of its line_reader; the rest of it is skipped.
    line_too_long,
    /// The socket is used by a loop other than the one that used it first.
    wrong_loop,
    /// A write was cancelled when a part of it was on its way; nothing can follow it.
    write_cut_short,
    /// Another read is under way, or a receive_many object reads. Equals device_or_resource_busy.
    read_under_way,
    /// Another accept_many object of the listener is there. Equals device_or_resource_busy.
    accept_under_way,
};

[[nodiscard]] const std::error_category& error_category() noexcept;

[[nodiscard]] inline std::error_code make_error_code(error code) noexcept {
    return {static_cast<int>(code), error_category()};
}

} // namespace coracle

template <>
struct std::is_error_code_enum<coracle::error> : std::true_type {};
