// SPDX-License-Identifier: MIT
//
// How much memory the process uses, and for what. A report is a plain value: taking one costs a
// walk over the pools and one read of the resident size, and disturbs no thread.
#pragma once

#include "size_class.hpp"

#include <array>
#include <cstddef>
#include <string>

namespace coracle {

/// The frames of one size class that are allocated and not freed.
struct size_class_usage {
    std::size_t block_bytes = 0;
    std::size_t live_frames = 0;
    std::size_t live_bytes = 0; // in whole blocks
};

/// The memory of the process at one moment. While other threads allocate, the figures are each
/// right for some moment during the call.
struct usage_report {
    std::size_t resident_bytes = 0; // of the whole process; 0 where the system does not tell
    std::size_t slab_bytes = 0;     // mapped by the frame pools, whether resident or not
    std::size_t live_frames = 0;    // of all classes and large ones
    std::size_t live_bytes = 0;     // of all classes and large ones
    std::size_t large_frames = 0;   // larger than largest_block_bytes
    std::size_t large_bytes = 0;
    std::array<size_class_usage, size_class_count> classes{};
};

/// Takes a report; callable from any thread.
usage_report usage() noexcept;

/// The report as text of several lines; classes without a live frame are left out.
std::string to_string(const usage_report& report);

} // namespace coracle
