// SPDX-License-Identifier: MIT
//
// remote_queue: what other threads want a loop to run.
//
// Anybody adds, the loop takes all at once. The remote_queue outlives the loop for as long as a
// `loop_handle` refers to it, so that posting to a loop that has ended is an answer (false), not a
// dangling pointer. What was posted is either run on the loop's thread or destroyed, exactly once.
//
// In a forked child the queue is a copy, which nobody will ever empty, and whose lock may be held
// by a thread that the child does not have. Posting stops the child; letting a handle go leaves it
// be.
#pragma once

#include "../diagnostics/leaks.hpp"
#include "../thread_state.hpp"
#include <atomic>
#include <concepts>
#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>
#include <vector>

namespace coracle {

struct driver;

namespace detail {

class remote_queue {
public:
    class work_item {
    public:
        explicit work_item(const creation_site& posted) noexcept : posted_(posted) {}

        virtual ~work_item() = default;
        virtual void run() = 0;

    private:
        friend class remote_queue;
        work_item* next_ = nullptr;
        [[no_unique_address]] creation_site posted_;
    };

    explicit remote_queue(driver& sleeper) noexcept : sleeper_(&sleeper) {}

    ~remote_queue();
    remote_queue(const remote_queue&) = delete;
    remote_queue& operator=(const remote_queue&) = delete;

    // From any thread.

    /// Adds a work item and wakes the loop if it sleeps. False if the loop has ended.
    bool post(std::unique_ptr<work_item> added) noexcept;

    /// Wakes the loop if it sleeps: the last handle to it is gone.
    void wake() noexcept;

    // From the loop only.

    [[nodiscard]] bool empty() const noexcept { return !filled_.load(std::memory_order_relaxed); }

    /// Runs what has come so far, in the order in which it came.
    void run_all() noexcept;

    /// Notes that the loop is about to sleep. False if something has come: then it must not.
    [[nodiscard]] bool fall_asleep() noexcept;

    void awake() noexcept { asleep_.store(false, std::memory_order_relaxed); }

    /// Refuses work items from now on, so that those which are there are the last.
    void refuse() noexcept;

    /// Adds the work items that have not been run.
    void list_work_items(std::vector<leak>& to);

    /// Ends the loop's side: work items that have not been run are destroyed, later ones refused.
    void close() noexcept;

private:
    [[nodiscard]] work_item* take_all() noexcept;

    [[nodiscard]] bool is_of_parent() const noexcept { return made_after_ != forks; }

    std::mutex lock_;
    unsigned made_after_ = forks;      // how many forks
    driver* sleeper_;                  // null once the loop has ended
    work_item* first_ = nullptr;       // the oldest first
    work_item** last_ = &first_;       // where the next one goes
    std::atomic<bool> filled_ = false; // so that an iteration without work items takes no lock
    std::atomic<bool> asleep_ = false; // a poster wakes a loop only if it sleeps
};

} // namespace detail

} // namespace coracle
