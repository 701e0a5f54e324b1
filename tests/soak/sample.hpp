// SPDX-License-Identifier: MIT
//
// sample: what the server uses at one moment, as it reports it itself.
//
// One table, `quantities`, says what is sampled and what is expected of it; the CSV file, the
// checks and the parser follow it.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace soak {

struct sample {
    double age_s = 0;       // since the first one
    double connections = 0; // ended by then
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
    std::string_view key; // in the server's report; empty if it is not in there
    double sample::* value;
    double granule;          // growth of less than this is none
    bool returns_to_initial; // after the last connection it is what it was before the first
};

/// Memory grows in granules: chunks of 256 KiB for frames, 128 KiB at a time in the C library's
/// heap (M_TOP_PAD). New peaks happen ever more rarely; the granule allows two of the larger kind
/// in the second half. In one minute that half has some 25,000 connections, so a leak of 20 bytes
/// for each is above it.
///
/// How many sessions there are at once depends on how busy the machine is. The granule allows half
/// of 30 sessions, each with up to 17 frames and 3 operations. One session leaked in 1000
/// connections is above it; fewer are found at the end, which allows none.
inline constexpr std::array<quantity, 7> quantities = {{
    {"resident_bytes", "resident_bytes", &sample::resident_bytes, 524'288, false},
    {"slab_bytes", "slab_bytes", &sample::slab_bytes, 524'288, false},
    {"live_frames", "live_frames", &sample::live_frames, 255, true},
    {"operations", "operations", &sample::operations, 45, true},
    {"sockets", "sockets", &sample::sockets, 15, true},
    {"sessions", "objects", &sample::sessions, 15, true},
    {"descriptors", "", &sample::descriptors, 15, true},
}};

/// Parses a line of JSON; nothing if it is not a report. The caller fills in age, connections and
/// descriptors.
[[nodiscard]] std::optional<sample> parse_report(std::string_view line);

/// The names of the columns, and one row of them.
[[nodiscard]] std::string csv_header();
[[nodiscard]] std::string csv_row(const sample& taken);

} // namespace soak
