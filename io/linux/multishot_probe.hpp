// SPDX-License-Identifier: MIT
//
// multishot_probe: whether this kernel's multishot receive does what it should. Before Linux 6.0
// there is none, and many later kernels miss an end of stream that comes together with bytes.
// Private.
#pragma once

#include "ring.hpp"
#include <string>

namespace coracle::uring {

enum class multishot_support {
    works,
    missing, // in this kernel
    unknown, // it could not be tried now
    no_ring, // the ring itself does not work
};

/// Tries it on a ring that has nothing under way; nothing is left there. Does not wait. Unless it
/// works, `reason` says why. Throws std::bad_alloc.
[[nodiscard]] multishot_support probe_multishot_receive(ring& on, std::string& reason);

} // namespace coracle::uring
