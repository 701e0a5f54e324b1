// SPDX-License-Identifier: MIT
//
// inspect: what is everything waiting for? The tree of the jobs of a loop at one moment, as values.
//
// The tree of jobs is the list of everything alive: each waits on one leaf, and a leaf that is a
// scope knows the jobs below it. Looking costs those who look, and nearly nothing otherwise.
#pragma once

#include "job.hpp"
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace coracle {

namespace detail {

/// What a leaf says of itself.
struct leaf_notes {
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

/// A job at one moment. Ages are to within a turn of the loop.
struct job_view {
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

    /// How many jobs there are, and timers, and of what kinds the waits are.
    [[nodiscard]] std::size_t jobs() const noexcept { return jobs_; }

    [[nodiscard]] std::size_t timers() const noexcept { return timers_; }

    [[nodiscard]] std::size_t waiting_for(std::string_view kind) const noexcept;

private:
    job_view root_;
    std::size_t jobs_ = 0;
    std::size_t timers_ = 0;
};

/// The present state of this thread's loop.
[[nodiscard]] inline inspection inspect() {
    return inspection::of_this_loop();
}

/// An indented tree: one line for each job, below it its frames and then its children.
[[nodiscard]] std::string to_string(const inspection& seen);

/// The same as JSON.
[[nodiscard]] std::string to_json(const inspection& seen);

} // namespace coracle
