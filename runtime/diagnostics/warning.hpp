// SPDX-License-Identifier: MIT
//
// warning: a line for whoever runs the program, and where it goes.
//
// A warning is something that must not be lost but has no caller to go to: a fall-back that was
// taken, a pause in accepting, the second exception of a group. By default it is one line on
// standard error.
#pragma once

#include <exception>
#include <string_view>

namespace coracle {

using warning_handler = void (*)(std::string_view line) noexcept;

/// Passes warnings to `handler` from now on, on every thread; null brings standard error back.
/// Returns the handler before. It may be called from any thread.
warning_handler set_warning_handler(warning_handler handler) noexcept;

/// Emits one warning, without its end of line.
void warning(std::string_view line) noexcept;

namespace detail {

/// Warns of an exception that has no caller to go to.
void warn_of_exception(std::string_view what, const std::exception_ptr& lost) noexcept;

} // namespace detail

} // namespace coracle
