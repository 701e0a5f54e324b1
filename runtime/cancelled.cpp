// SPDX-License-Identifier: MIT
#include "cancelled.hpp"

#include <string>

namespace coracle {

namespace {

class cancellation_category final : public std::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "coracle.cancelled"; }

    [[nodiscard]] std::string message(int) const override {
        return std::make_error_code(std::errc::operation_canceled).message();
    }

    [[nodiscard]] std::error_condition default_error_condition(int) const noexcept override {
        return std::errc::operation_canceled;
    }
};

} // namespace

const char* to_string(cancel_reason why) noexcept {
    switch (why) {
    case cancel_reason::none:
        return "not cancelled";
    case cancel_reason::requested:
        return "requested";
    case cancel_reason::deadline:
        return "deadline";
    case cancel_reason::sibling_failed:
        return "sibling failed";
    case cancel_reason::lost_race:
        return "lost race";
    case cancel_reason::deadlock:
        return "deadlock";
    }
    return "";
}

std::error_code detail::cancelled_code() noexcept {
    static const cancellation_category category;
    return {1, category};
}

const std::exception_ptr& detail::cancelled_exception() noexcept {
    static const std::exception_ptr only = std::make_exception_ptr(cancelled());
    return only;
}

void detail::throw_error(std::error_code error) {
    if (error == cancelled_code())
        throw cancelled();
    throw std::system_error(error);
}

void detail::throw_error(std::error_code error, const std::string& what) {
    if (error == cancelled_code())
        throw cancelled();
    throw std::system_error(error, what);
}

bool detail::is_cancellation(const std::exception_ptr& failure) noexcept {
    if (failure == cancelled_exception())
        return true;
    try {
        std::rethrow_exception(failure);
    } catch (const cancelled&) {
        return true;
    } catch (const std::system_error& error) {
        return error.code() == std::errc::operation_canceled;
    } catch (...) {
        return false;
    }
}

} // namespace coracle
