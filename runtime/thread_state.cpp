// SPDX-License-Identifier: MIT
#include "thread_state.hpp"

namespace coracle::detail {

constinit thread_local thread_state this_thread;

} // namespace coracle::detail
