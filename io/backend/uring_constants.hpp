// SPDX-License-Identifier: MIT
//
// What io_uring of newer kernels knows and the headers of liburing 2.3 and Linux 6.1 do not name.
// Each is asked of the kernel before it is used. Private to io/backend.
#pragma once

#include <cstdint>

namespace coracle::uring {

/// enter: waiting is not counted as waiting for a disk (Linux 6.15; IORING_ENTER_NO_IOWAIT).
inline constexpr unsigned enter_no_iowait = 1U << 7;

/// The feature bit that announces it (IORING_FEAT_NO_IOWAIT).
inline constexpr unsigned feature_no_iowait = 1U << 17;

} // namespace coracle::uring
