// SPDX-License-Identifier: MIT
//
// inbox: what other threads want a loop to run.
//
// Anybody adds, the loop takes all at once. The inbox outlives the loop for as long as a `remote`
// refers to it, so that posting to a loop that has ended is an answer (false), not a dangling
// pointer. What was posted is either run on the loop's thread or destroyed, exactly once.
#pragma once

#include "../diagnostics/leaks.hpp"
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

class inbox {
public:
    class letter {
    public:
        explicit letter(const origin& posted) noexcept : posted_(posted) {}

        virtual ~letter() = default;
        virtual void run() = 0;

    private:
        friend class inbox;
        letter* next_ = nullptr;
        [[no_unique_address]] origin posted_;
    };

    explicit inbox(driver& sleeper) noexcept : sleeper_(&sleeper) {}

    ~inbox();
    inbox(const inbox&) = delete;
    inbox& operator=(const inbox&) = delete;

    // From any thread.

    /// Adds a letter and wakes the loop if it sleeps. False if the loop has ended.
    bool post(std::unique_ptr<letter> added) noexcept;

    // From the loop only.

    [[nodiscard]] bool empty() const noexcept { return !filled_.load(std::memory_order_relaxed); }

    /// Runs what has come so far, in the order in which it came.
    void run_all() noexcept;

    /// Notes that the loop is about to sleep. False if something has come: then it must not.
    [[nodiscard]] bool fall_asleep() noexcept;

    void awake() noexcept { asleep_.store(false, std::memory_order_relaxed); }

    /// Refuses letters from now on, so that those which are there are the last.
    void refuse() noexcept;

    /// Adds the letters that have not been run.
    void list_letters(std::vector<holding>& to);

    /// Ends the loop's side: letters that have not been run are destroyed, later ones refused.
    void close() noexcept;

private:
    [[nodiscard]] letter* take_all() noexcept;

    std::mutex lock_;
    driver* sleeper_;                  // null once the loop has ended
    letter* first_ = nullptr;          // the oldest first
    letter** last_ = &first_;          // where the next one goes
    std::atomic<bool> filled_ = false; // so that a turn without letters takes no lock
    std::atomic<bool> asleep_ = false; // a poster wakes a loop only if it sleeps
};

} // namespace detail

/// A way to reach a loop from other threads. Cheap to copy; may outlive the loop.
class remote {
public:
    explicit remote(std::shared_ptr<detail::inbox> to) noexcept : inbox_(std::move(to)) {}

    /// Has the loop run `function` on its own thread, soon, in the order of posting.
    ///
    /// Returns false, and destroys `function` unrun, if the loop has ended. If the loop ends before
    /// its turn comes it is destroyed unrun as well,
    /// which becomes a notice when the context ends. An exception out of it becomes a notice.
    template <std::invocable Function>
    bool post(Function function, origin made = {}) const {
        struct posted final : detail::inbox::letter {
            posted(Function&& run_later, const origin& made)
                : letter(made), function_(std::move(run_later)) {}

            void run() override { static_cast<void>(function_()); }

            Function function_;
        };

        return inbox_->post(std::make_unique<posted>(std::move(function), made));
    }

private:
    std::shared_ptr<detail::inbox> inbox_;
};

} // namespace coracle
