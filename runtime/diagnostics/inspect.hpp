// SPDX-License-Identifier: MIT
//
// inspect: what everything waits for. The tree of the jobs of a loop at one moment, as values.
//
// Each job waits on one awaiter, and a scope is an awaiter that knows the jobs below it. So the
// tree has everything that `run` waits for; only the job of a `bridge`, which is below no other, is
// not in it. A build with CORACLE_INSPECT=OFF records no places, names and times, and still has the
// tree.
#pragma once

#include "../driver.hpp"
#include "../job.hpp"
#include "usage.hpp"
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <future>
#include <string>
#include <string_view>
#include <vector>

namespace coracle {

class loop_handle;

namespace detail {

/// What an awaiter says of itself.
struct awaiter_notes {
    std::string detail;
    std::vector<const job*> children;
};

} // namespace detail

/// A suspended coroutine, and the await at which it is.
struct frame_view {
    std::string function;
    std::string file;
    std::uint32_t line = 0;
};

enum class job_state : std::uint8_t { running, ready, waiting };

/// A job at one moment. Ages are to within an iteration of the loop.
struct job_view {
    std::string name; // as it was started, or its root function
    job_state state = job_state::running;
    bool cancelled = false;
    std::chrono::nanoseconds age{0};
    std::vector<frame_view> frames; // the root first; none of a job that runs

    // Of a job that waits:
    std::string kind;   // for what: "read", "sleep", "task_group"
    std::string detail; // which one: "descriptor 7, peer 127.0.0.1:4000"
    std::chrono::nanoseconds waiting_for{0};
    std::vector<job_view> children;
};

/// All jobs of a loop at one moment.
class inspection {
public:
    /// Of this thread's loop, from within one of its jobs or from a function posted to it.
    [[nodiscard]] static inspection of_this_loop();

    /// The job of the task given to `run`.
    [[nodiscard]] const job_view& root() const noexcept { return root_; }

    /// How many jobs and armed timers there are, and how many jobs wait for a kind of awaiter.
    [[nodiscard]] std::size_t jobs() const noexcept { return jobs_; }

    [[nodiscard]] std::size_t timers() const noexcept { return timers_; }

    [[nodiscard]] std::size_t waiting_for(std::string_view kind) const noexcept;

    /// What this loop has in flight and open.
    [[nodiscard]] std::size_t operations() const noexcept { return driver_.operations; }

    [[nodiscard]] std::size_t sockets() const noexcept { return driver_.sockets; }

    /// What the whole process uses.
    [[nodiscard]] const usage_report& usage() const noexcept { return usage_; }

private:
    job_view root_;
    std::size_t jobs_ = 0;
    std::size_t timers_ = 0;
    driver_totals driver_;
    usage_report usage_;
};

/// The present state of this thread's loop.
[[nodiscard]] inline inspection inspect() {
    return inspection::of_this_loop();
}

/// The state of another thread's loop: `inspect(here.handle()).get()`. To look without blocking,
/// post the looking: `handle.post([] { std::puts(to_string(inspect()).c_str()); })`.
///
/// The answer comes when that loop has its next iteration. If it ends before, or has ended,
/// `get` throws std::future_error (broken_promise) instead of waiting. Of a loop that is stuck in a
/// function, or is not run, there is none: use `wait_for` where that can be.
[[nodiscard]] std::future<inspection> inspect(const loop_handle& other, creation_site where = {});

/// An indented tree: one line for each job, below it its frames and then its children.
[[nodiscard]] std::string to_string(const inspection& seen);

/// The same as JSON.
[[nodiscard]] std::string to_json(const inspection& seen);

/// Lets fmt 10 and newer print it as it is: `fmt::print("{}", inspect())`.
[[nodiscard]] inline std::string format_as(const inspection& seen) {
    return to_string(seen);
}

} // namespace coracle
