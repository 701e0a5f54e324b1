// SPDX-License-Identifier: MIT
#include "loop.hpp"

#include "../memory/fatal.hpp"

namespace coracle {

loop::loop(driver& port)
    : driver_(&port), remote_queue_(std::make_shared<detail::remote_queue>(port)) {
    if (detail::this_thread.loop)
        detail::fatal("a second loop was made on a thread whose first one still lives");
    detail::this_thread.loop = this;
    detail::this_thread.iteration_start = port.now();
}

loop::~loop() {
    remote_queue_->close();
    detail::this_thread.loop = nullptr;
}

loop& loop::current() {
    if (!detail::this_thread.loop)
        detail::fatal("no loop runs on this thread: call this from within coracle::run");
    return *detail::this_thread.loop;
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
        detail::this_thread.inline_budget = next->inline_budget();
        next->resumption().resume();
    }
    detail::this_thread.running_job = nullptr;
}

void loop::collect() {
    if (!ready_.empty() || !remote_queue_->empty() || !remote_queue_->fall_asleep()) {
        driver_->poll(time_point::min());
    } else {
        driver_->poll(timers_.next());
        remote_queue_->awake();
    }
    detail::this_thread.iteration_start = driver_->now();
    timers_.advance(detail::this_thread.iteration_start);
}

} // namespace coracle
