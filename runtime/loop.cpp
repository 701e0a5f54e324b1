// SPDX-License-Identifier: MIT
#include "loop.hpp"

#include "../memory/fatal.hpp"

namespace coracle {

namespace {

constinit thread_local loop* loop_of_this_thread = nullptr;

} // namespace

loop::loop(driver& port)
    : driver_(&port), remote_queue_(std::make_shared<detail::remote_queue>(port)) {
    if (loop_of_this_thread)
        detail::fatal("a second loop was made on a thread whose first one still lives");
    loop_of_this_thread = this;
    detail::iteration_time = port.now();
}

loop::~loop() {
    remote_queue_->close();
    loop_of_this_thread = nullptr;
}

loop& loop::current() {
    if (!loop_of_this_thread)
        detail::fatal("no loop runs on this thread: call this from within coracle::run");
    return *loop_of_this_thread;
}

bool loop::is_current(const loop& asked) noexcept {
    return loop_of_this_thread == &asked;
}

void loop::end_posting(std::vector<leak>& to) {
    remote_queue_->refuse();
    remote_queue_->list_work_items(to);
}

void loop::run_jobs() noexcept {
    remote_queue_->run_all();
    calls_ = 0;
    for (int resumed = 0; resumed < ready_budget && calls_ < call_budget; ++resumed) {
        job* const next = ready_.pop();
        if (!next)
            break;
        detail::inline_budget = next->inline_budget();
        next->resumption().resume();
    }
    detail::present_job = nullptr;
}

void loop::collect() {
    if (!ready_.empty() || !remote_queue_->empty() || !remote_queue_->fall_asleep()) {
        driver_->poll(time_point::min());
    } else {
        driver_->poll(timers_.next());
        remote_queue_->awake();
    }
    detail::iteration_time = driver_->now();
    timers_.advance(detail::iteration_time);
}

} // namespace coracle
