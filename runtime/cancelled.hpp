// SPDX-License-Identifier: MIT
//
// cancelled: what a cancelled await throws, and why a job was cancelled. The rule of cancellation
// is at the top of job.hpp.
#pragma once

#include <cstdint>
#include <exception>
#include <string>
#include <system_error>

namespace coracle {

/// Why a job was cancelled. The jobs below it are cancelled for the same reason.
enum class cancel_reason : std::uint8_t {
    none,           // it is not cancelled
    requested,      // by task_group::cancel
    deadline,       // by with_timeout or with_deadline
    sibling_failed, // another job of its group, or of its when_all, has failed
    lost_race,      // another job of its when_any has ended first
    deadlock,       // every job waited, and nothing could end a wait: see loop::run
};

[[nodiscard]] const char* to_string(cancel_reason why) noexcept;

/// Thrown by an await in a cancelled job.
///
/// It is not a std::exception, so that `catch (const std::exception&)` lets it pass. Whoever
/// catches it should clean up and throw it again. `as_result` turns it into
/// std::errc::operation_canceled, and `value()` of that result back into it.
class cancelled {};

namespace detail {

/// The code of a cancelled await. It equals std::errc::operation_canceled, but has a category of
/// its own: an operation that ends because its socket was closed is no cancellation of the job.
[[nodiscard]] std::error_code cancelled_code() noexcept;

/// A `cancelled` made once, so that refusing to enter a task throws nothing.
[[nodiscard]] const std::exception_ptr& cancelled_exception() noexcept;

/// Throws `cancelled` for cancelled_code(), and std::system_error for any other.
[[noreturn]] void throw_error(std::error_code error);

/// The same, with what was tried.
[[noreturn]] void throw_error(std::error_code error, const std::string& what);

/// Whether this is what a cancelled await throws, or the same as a std::system_error.
[[nodiscard]] bool is_cancellation(const std::exception_ptr& failure) noexcept;

} // namespace detail

} // namespace coracle
