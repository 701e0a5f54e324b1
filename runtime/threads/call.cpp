// SPDX-License-Identifier: MIT
#include "call.hpp"

#include "../loop.hpp"

namespace coracle::detail {

/// In the other loop's queue. One that goes without having run tells the caller that it will not.
class remote_call::request final : public remote_queue::work_item {
public:
    request(std::shared_ptr<remote_call> call, const creation_site& where)
        : work_item(where), call_(std::move(call)) {}

    ~request() override {
        if (!call_->take())
            return;
        call_->dropped_ = true;
        call_->send_reply();
    }

    void run() override {
        if (!call_->take())
            return;
        call_->invoke();
        call_->send_reply();
    }

private:
    std::shared_ptr<remote_call> call_;
};

/// In the caller's queue.
class remote_call::reply final : public remote_queue::work_item {
public:
    reply(std::shared_ptr<remote_call> call, const creation_site& where)
        : work_item(where), call_(std::move(call)) {}

    void run() override { call_->answered(); }

private:
    std::shared_ptr<remote_call> call_;
};

void remote_call::start(const std::shared_ptr<remote_call>& call, const loop_handle& to,
                        const creation_site& where) {
    auto answer = std::make_unique<reply>(call, where);
    auto asked = std::make_unique<request>(call, where);
    call->reply_ = std::move(answer);
    to.post(std::move(asked));
}

bool remote_call::take() noexcept {
    stage expected = stage::queued;
    return stage_.compare_exchange_strong(expected, stage::taken);
}

bool remote_call::withdraw() noexcept {
    stage expected = stage::queued;
    if (!stage_.compare_exchange_strong(expected, stage::withdrawn))
        return false;
    discard();
    reply_.reset(); // it keeps this alive
    return true;
}

void remote_call::send_reply() noexcept {
    discard();
    home_.post(std::move(reply_));
}

} // namespace coracle::detail
