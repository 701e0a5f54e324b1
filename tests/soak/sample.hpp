// SPDX-License-Identifier: MIT
//
// sample: what the server uses and holds at one moment, as it reports it itself.
//
// One table, `quantities`, says what is sampled and what is expected of it; the file of samples,
// the verdict and the parser all follow it.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace soak {

struct sample {
    double age_s = 0;  // since the first one
    double visits = 0; // that had ended by then
    double resident_bytes = 0;
    double slab_bytes = 0;
    double live_frames = 0;
    double operations = 0;
    double sockets = 0;
    double sessions = 0;
    double descriptors = 0; // of the process, as the kernel counts them
};

struct quantity {
    std::string_view name;
    std::string_view key; // in the server's report; empty if it is not from there
    double sample::* value;
    double granule;          // growth of less than this is none
    bool returns_to_its_own; // after the last visit it is what it was before the first one
};

/// Memory comes and goes in granules: chunks of 256 KiB for frames, and in the C library's heap
/// 128 KiB at a time (M_TOP_PAD). New records of how much is wanted at once go on to happen, ever
/// more rarely; two of the larger ones are allowed in the half that is judged. In one minute, which
/// has some 25,000 visits in that half, a leak of 20 bytes a visit is more than that.
///
/// How many are there at once follows how busy the machine is. Half of the room for 30 sessions,
/// each with up to 17 frames and 3 operations, is allowed: one session kept in 1000 visits is more
/// than that, and fewer are found by the end, which allows none.
inline constexpr std::array<quantity, 7> quantities = {{
    {"resident_bytes", "resident_bytes", &sample::resident_bytes, 524'288, false},
    {"slab_bytes", "slab_bytes", &sample::slab_bytes, 524'288, false},
    {"live_frames", "live_frames", &sample::live_frames, 255, true},
    {"operations", "operations", &sample::operations, 45, true},
    {"sockets", "sockets", &sample::sockets, 15, true},
    {"sessions", "objects", &sample::sessions, 15, true},
    {"descriptors", "", &sample::descriptors, 15, true},
}};

/// The report in `line`, which is JSON on one line; nothing if it is none. Age, visits and
/// descriptors are left for others to fill in.
[[nodiscard]] std::optional<sample> parse_report(std::string_view line);

/// The names of the columns, and one row of them.
[[nodiscard]] std::string csv_header();
[[nodiscard]] std::string csv_row(const sample& taken);

} // namespace soak
