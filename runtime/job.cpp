// SPDX-License-Identifier: MIT
//
// The one message of the awaiters: a frame destroyed while something could still reach into it.
#include "job.hpp"

#include "../memory/fatal.hpp"
#include <fmt/format.h>

namespace coracle {

void awaiter::abandoned() const noexcept {
    const std::source_location at = waiter_->where();
    detail::fatal(
        fmt::format("a frame was destroyed or moved while it waits on a {}, in {} ({}:{}): "
                    "cancel it and await its end instead",
                    kind_, at.function_name(), at.file_name(), at.line()));
}

} // namespace coracle
