// SPDX-License-Identifier: MIT
//
// Windows does not fork.
#include "../backend.hpp"

namespace coracle::detail {

void disown_context_after_fork() noexcept {}

} // namespace coracle::detail
