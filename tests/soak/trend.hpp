// SPDX-License-Identifier: MIT
//
// trend: whether figures that go up and down go up in the long run.
//
// The slope is that of Theil and Sen, the median of the slopes between all pairs: more than a
// quarter of the figures can be outliers without moving it, which the mean of a crowd that comes
// and goes needs. The noise is the median distance from that line.
#pragma once

#include <span>

namespace soak {

struct trend {
    double growth = 0; // along the line, from the first figure to the last
    double noise = 0;  // half of the figures are nearer to the line than this
};

/// Times are in ascending order, and as many as the values; two or more.
[[nodiscard]] trend trend_of(std::span<const double> times, std::span<const double> values);

/// Whether the growth is more than `granule` and more than the noise can make of none.
///
/// Of n figures with independent noise of standard deviation s around no slope at all, the growth
/// has a standard deviation of about s * sqrt(12 / n), which is 0.65 s for the 30 of a one-minute
/// run. The noise is 0.67 s. Four times the noise so is four standard deviations of the growth: one
/// false alarm in ten thousand runs, in both directions together.
[[nodiscard]] bool is_growing(const trend& seen, double granule);

} // namespace soak
