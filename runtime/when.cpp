// SPDX-License-Identifier: MIT
#include "when.hpp"

namespace coracle::detail {

void first_scope::ended(child& gone) noexcept {
    if (!winner_) {
        winner_ = &gone;
        cancel_children(cancel_reason::lost_race);
    } else if (gone.failure() && !is_cancellation(gone.failure())) {
        lost_.add(gone.failure(), site_of(gone.failure(), gone.site()));
    }
}

void first_scope::remember_failure() const noexcept {
    if (winner_->failure())
        detail::remember_failure(winner_->failure(), site_of(winner_->failure(), winner_->site()));
}

} // namespace coracle::detail
