// SPDX-License-Identifier: MIT
#include "error.hpp"

#include <string>

namespace coracle {

namespace {

class category final : public std::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "coracle"; }

    [[nodiscard]] std::string message(int code) const override {
        switch (static_cast<error>(code)) {
        case error::unexpected_end:
            return "the stream ended in the middle of a message";
        case error::line_too_long:
            return "the line is too long";
        case error::wrong_loop:
            return "the socket belongs to the loop of another thread";
        case error::write_cut_short:
            return "an earlier write was cut short";
        case error::read_under_way:
            return "another read is under way";
        case error::accept_under_way:
            return "another accept_many is under way";
        }
        return "unknown coracle error " + std::to_string(code);
    }

    [[nodiscard]] std::error_condition default_error_condition(int code) const noexcept override {
        switch (static_cast<error>(code)) {
        case error::read_under_way:
        case error::accept_under_way:
            return std::make_error_condition(std::errc::device_or_resource_busy);
        default:
            return {code, *this};
        }
    }
};

} // namespace

const std::error_category& error_category() noexcept {
    static const category instance;
    return instance;
}

} // namespace coracle
