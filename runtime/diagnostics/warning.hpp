// SPDX-License-Identifier: MIT
//
// notice: the few lines that the library has to say to whoever runs the program, and where they go.
//
// A warning is something that must not be lost but has no caller to go to: a fall-back that was
// taken, a pause in accepting, the second exception of a group. By default it is one line on
// standard error.
#pragma once

#include <exception>
#include <string_view>

namespace coracle {

using warning_handler = void (*)(std::string_view line) noexcept;

/// Sends warnings to `sink` from now on, on every thread; null brings standard error back.
/// Returns the sink before. The sink may be called from any thread.
warning_handler set_warning_handler(warning_handler sink) noexcept;

/// Says one line, without its end of line.
void warning(std::string_view line) noexcept;

namespace detail {

/// Says that `lost` has nobody to go to.
void warn_of_exception(std::string_view what, const std::exception_ptr& lost) noexcept;

} // namespace detail

} // namespace coracle
