// SPDX-License-Identifier: MIT
#include "trend.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace soak {

namespace {

double median(std::vector<double> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    if (values.size() % 2 != 0)
        return *middle;
    return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

} // namespace

trend trend_of(std::span<const double> times, std::span<const double> values) {
    std::vector<double> slopes;
    for (std::size_t late = 1; late < times.size(); ++late) {
        for (std::size_t early = 0; early < late; ++early)
            slopes.push_back((values[late] - values[early]) / (times[late] - times[early]));
    }
    const double slope = median(std::move(slopes));

    std::vector<double> heights; // of the line at time zero, by each figure
    for (std::size_t i = 0; i < times.size(); ++i)
        heights.push_back(values[i] - slope * times[i]);
    const double height = median(heights);
    for (double& each : heights)
        each = std::abs(each - height);
    return {slope * (times.back() - times.front()), median(std::move(heights))};
}

bool is_growing(const trend& seen, double granule) {
    return seen.growth > std::max(granule, 4 * seen.noise);
}

} // namespace soak
