// SPDX-License-Identifier: MIT
#include "loop.hpp"

#include "../memory/fatal.hpp"

namespace coracle {

namespace {

constinit thread_local loop* loop_of_this_thread = nullptr;

} // namespace

loop::loop(driver& port) : driver_(&port), inbox_(std::make_shared<detail::inbox>(port)) {
    if (loop_of_this_thread)
        detail::fatal("a second loop was made on a thread whose first one still lives");
    loop_of_this_thread = this;
    detail::turn_time = port.now();
}

loop::~loop() {
    inbox_->close();
    loop_of_this_thread = nullptr;
}

loop& loop::current() {
    if (!loop_of_this_thread)
        detail::fatal("no loop runs on this thread: call this from within coracle::run");
    return *loop_of_this_thread;
}

void loop::end_posting(std::vector<holding>& to) {
    inbox_->refuse();
    inbox_->list_letters(to);
}

void loop::run_jobs() noexcept {
    inbox_->run_all();
    calls_ = 0;
    for (int resumed = 0; resumed < ready_budget && calls_ < call_budget; ++resumed) {
        job* const next = ready_.pop();
        if (!next)
            break;
        detail::inline_budget = detail::inline_budget_full;
        next->resumption().resume();
    }
    detail::present_job = nullptr;
}

void loop::collect() {
    if (!ready_.empty() || !inbox_->empty() || !inbox_->fall_asleep()) {
        driver_->poll(time_point::min());
    } else {
        driver_->poll(timers_.next());
        inbox_->awake();
    }
    detail::turn_time = driver_->now();
    timers_.advance(detail::turn_time);
}

} // namespace coracle
