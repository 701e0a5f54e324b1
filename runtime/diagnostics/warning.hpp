// SPDX-License-Identifier: MIT
//
// notice: the few lines that the library has to say to whoever runs the program, and where they go.
//
// A warning is something that must not be lost but has no caller to go to: a fall-back that was
// taken, a pause in accepting, the second exception of a group. By default it is one line on
// standard error.
#pragma once

#include <cstddef>
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

/// Failures that have nobody to go to, because another one went before them. The first becomes a
/// notice at once; the others, often of the same cause, are counted by one more in the end.
class lost_failures {
public:
    explicit lost_failures(const char* what) noexcept : what_(what) {}

    ~lost_failures();
    lost_failures(const lost_failures&) = delete;
    lost_failures& operator=(const lost_failures&) = delete;

    void add(const std::exception_ptr& lost) noexcept;

private:
    const char* what_;
    std::size_t count_ = 0;
};

} // namespace detail

} // namespace coracle
