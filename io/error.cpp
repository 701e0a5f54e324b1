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
        }
        return "unknown coracle error " + std::to_string(code);
    }
};

} // namespace

const std::error_category& error_category() noexcept {
    static const category instance;
    return instance;
}

} // namespace coracle
