// SPDX-License-Identifier: MIT
//
// How much memory the process uses, and for what. A report is a plain value: taking one costs a
// walk over the pools and one read of the resident size, and disturbs no thread.
#pragma once

#include "../../memory/size_class.hpp"

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
    std::size_t operations = 0; // in flight: a kernel has them and has not finished
    std::size_t sockets = 0;    // used by a loop that runs, and open
    std::size_t leases = 0;     // buffers out of their buffer_pool
    std::size_t objects = 0;    // in an object_pool, such as sessions
    std::array<size_class_usage, size_class_count> classes{};
};

/// Takes a report; callable from any thread.
usage_report usage() noexcept;

/// The report as text of several lines; classes without a live frame are left out.
std::string to_string(const usage_report& report);

/// The same as JSON, with the classes that have a live frame.
std::string to_json(const usage_report& report);

/// Lets fmt 10 and newer print a report as it is: `fmt::print("{}", usage())`.
inline std::string format_as(const usage_report& report) {
    return to_string(report);
}

} // namespace coracle
