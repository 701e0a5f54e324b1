// SPDX-License-Identifier: MIT
//
// The handler is one atomic pointer, so that a warning needs no lock and no initialisation.
#include "warning.hpp"

#include <atomic>
#include <cstdio>
#include <fmt/format.h>

namespace coracle {

namespace {

void to_standard_error(std::string_view line) noexcept {
    std::fprintf(stderr, "coracle: %.*s\n", static_cast<int>(line.size()), line.data());
}

constinit std::atomic<warning_handler> current_handler = to_standard_error;

} // namespace

warning_handler set_warning_handler(warning_handler handler) noexcept {
    return current_handler.exchange(handler ? handler : to_standard_error);
}

void warning(std::string_view line) noexcept {
    current_handler.load()(line);
}

void detail::warn_of_exception(std::string_view what, const std::exception_ptr& lost) noexcept {
    try {
        try {
            std::rethrow_exception(lost);
        } catch (const std::exception& error) {
            warning(fmt::format("{}: {}", what, error.what()));
        } catch (...) {
            warning(fmt::format("{}: an exception that is not a std::exception", what));
        }
    } catch (...) {
        warning(what); // there was no memory to say more
    }
}

} // namespace coracle
