// SPDX-License-Identifier: MIT
//
// waiting_driver: a driver without a kernel, which waits in real time: for a loop that other
// threads wake.
#pragma once

#include <chrono>
#include <condition_variable>
#include <coracle/runtime/driver.hpp>
#include <mutex>

namespace coracle::test {

class waiting_driver final : public driver {
public:
    [[nodiscard]] time_point now() noexcept override { return std::chrono::steady_clock::now(); }

    void poll(time_point deadline) override {
        std::unique_lock guard(lock_);
        if (deadline == time_point::max())
            changed_.wait(guard, [this] { return woken_; });
        else if (deadline != time_point::min())
            changed_.wait_until(guard, deadline, [this] { return woken_; });
        woken_ = false;
    }

    [[nodiscard]] bool idle() const noexcept override { return true; }

    void wake() noexcept override {
        const std::lock_guard guard(lock_);
        woken_ = true;
        changed_.notify_one();
    }

private:
    std::mutex lock_;
    std::condition_variable changed_;
    bool woken_ = false;
};

} // namespace coracle::test
