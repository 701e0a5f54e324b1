// SPDX-License-Identifier: MIT
//
// creation_site: where in the program something was made, and by which job. Sockets, leases and
// objects keep theirs, so that what is still held in the end can be named.
//
// A creation_site is two pointers to texts that are never freed, so that it may outlive the job,
// the loop and the frame that it names. A build without inspection (CORACLE_INSPECT=OFF) stores
// none of this: a `recorded` is empty there, and whoever reads it gets a default value.
#pragma once

#include "../thread_state.hpp"
#include <source_location>

namespace coracle {

namespace detail {

#ifdef CORACLE_NO_INSPECT
inline constexpr bool inspectable = false;
#else
inline constexpr bool inspectable = true;
#endif

/// A value that is kept for inspection only.
template <class T, bool Kept = inspectable>
class recorded {
public:
    constexpr recorded() noexcept = default;

    constexpr recorded(const T& value) noexcept : value_(value) {}

    [[nodiscard]] constexpr const T& get() const noexcept { return value_; }

private:
    T value_{};
};

template <class T>
class recorded<T, false> {
public:
    constexpr recorded() noexcept = default;

    constexpr recorded(const T&) noexcept {}

    [[nodiscard]] constexpr T get() const noexcept { return T(); }
};

/// How a job is called.
struct job_name {
    [[no_unique_address]] recorded<const char*> text;
};

} // namespace detail

/// As the last parameter of a function, `creation_site where = {}`, it is where that function was
/// called.
class creation_site {
public:
    creation_site(const std::source_location& at = std::source_location::current()) noexcept
        : where_(at), job_(running_job_text()) {}

    /// Function, file and line.
    [[nodiscard]] std::source_location where() const noexcept { return where_.get(); }

    /// The name of the job, which is that of its root function if it was given none; null if no job
    /// ran.
    [[nodiscard]] const char* job() const noexcept { return job_.get(); }

private:
    [[nodiscard]] static const char* running_job_text() noexcept {
        if constexpr (detail::inspectable)
            return detail::this_thread.running_job ? detail::this_thread.running_job->text.get()
                                                   : nullptr;
        else
            return nullptr;
    }

    [[no_unique_address]] detail::recorded<std::source_location> where_;
    [[no_unique_address]] detail::recorded<const char*> job_;
};

} // namespace coracle
