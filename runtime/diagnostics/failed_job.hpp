// SPDX-License-Identifier: MIT
//
// failed_job: which job an exception came from. A group, when_all and when_any throw what a job
// below them has thrown, unchanged; this tells which one that was.
#pragma once

#include <cstddef>
#include <exception>
#include <source_location>
#include <string>
#include <string_view>

namespace coracle {

/// The job that `failure` came from, as "session, in task<> echo(tcp_stream) (echo.cpp:12)": its
/// name, and where its root function awaited last. Empty if no job below this one has failed with
/// it. Only the last failure that was thrown on this thread's loop is known.
///
///     catch (const std::exception& error) { log(failed_job(), error.what()); }
[[nodiscard]] std::string failed_job(const std::exception_ptr& failure = std::current_exception());

namespace detail {

/// Where a failure came from.
struct failure_site {
    const char* job = nullptr;
    std::source_location where;
};

/// The last failure that a scope of a loop has thrown. The loop keeps it: a thread_local would have
/// to be destroyed as its thread ends, which mingw's GCC does too late.
struct failure_record {
    std::exception_ptr failure;
    failure_site site;
};

[[nodiscard]] std::string to_string(const failure_site& site);

/// The site of the last failure that was thrown, if `failure` is that one; else `otherwise`.
[[nodiscard]] failure_site site_of(const std::exception_ptr& failure,
                                   const failure_site& otherwise) noexcept;

/// A scope is about to throw `failure`.
void remember_failure(const std::exception_ptr& failure, const failure_site& site) noexcept;

/// Says "`what`, session, in task<> ... : `failure`" as a warning.
void warn_of_failure(std::string_view what, const failure_site& site,
                     const std::exception_ptr& failure) noexcept;

/// Failures that nobody gets, because another one went before them. The first becomes a warning at
/// once; the others, often of the same cause, are counted by one more in the end.
class lost_failures {
public:
    explicit lost_failures(const char* what) noexcept : what_(what) {}

    ~lost_failures();
    lost_failures(const lost_failures&) = delete;
    lost_failures& operator=(const lost_failures&) = delete;

    void add(const std::exception_ptr& lost, const failure_site& site) noexcept;

private:
    const char* what_;
    std::size_t count_ = 0;
};

/// Warns that `failure` ends `run`, if a job below has thrown it, and forgets it.
void warn_of_end(const std::exception_ptr& failure) noexcept;

} // namespace detail

} // namespace coracle
