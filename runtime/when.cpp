// SPDX-License-Identifier: MIT
#include "when.hpp"

#include "notice.hpp"

namespace coracle::detail {

void first_scope::ended(child& gone) noexcept {
    if (!winner_) {
        winner_ = &gone;
        cancel_children();
    } else if (gone.failure() && !is_cancellation(gone.failure())) {
        notice_exception("a failure in when_any, after another one had ended first",
                         gone.failure());
    }
}

} // namespace coracle::detail
