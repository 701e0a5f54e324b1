// SPDX-License-Identifier: MIT
//
// The job of a task that a test starts by hand, in the loop that runs and below no other job.
#pragma once

#include <coracle/runtime/job.hpp>
#include <coracle/runtime/loop.hpp>
#include <coroutine>

namespace coracle::test {

class lone_job final : public job {
public:
    lone_job() noexcept : job(loop::current().ready()) {}

    std::coroutine_handle<> finished() noexcept override {
        ended_ = true;
        return std::noop_coroutine();
    }

    [[nodiscard]] bool ended() const noexcept { return ended_; }

private:
    bool ended_ = false;
};

} // namespace coracle::test
