// SPDX-License-Identifier: MIT
//
// What the soak calls growth.
#include "trend.hpp"

#include <cstddef>
#include <doctest/doctest.h>
#include <random>
#include <vector>

namespace {

std::vector<double> count_to(std::size_t size) {
    std::vector<double> times;
    while (times.size() < size)
        times.push_back(static_cast<double>(times.size()));
    return times;
}

} // namespace

TEST_CASE("soak trend: a line is itself, without noise") {
    const std::vector<double> times = {0, 1, 2, 4};
    const std::vector<double> values = {10, 13, 16, 22};
    const soak::trend seen = soak::trend_of(times, values);
    CHECK(seen.growth == doctest::Approx(12));
    CHECK(seen.noise == doctest::Approx(0));
    CHECK(soak::is_growing(seen, 11));
    CHECK_FALSE(soak::is_growing(seen, 13));
}

TEST_CASE("soak trend: a few outliers move nothing") {
    const std::vector<double> times = count_to(30);
    std::vector<double> values(30, 100);
    values[7] = 100'000;
    values[28] = 200'000;
    values[29] = 300'000;
    const soak::trend seen = soak::trend_of(times, values);
    CHECK(seen.growth == doctest::Approx(0));
    CHECK_FALSE(soak::is_growing(seen, 0.5));
}

TEST_CASE("soak trend: noise alone is no growth, and growth shows through noise") {
    const std::vector<double> times = count_to(30);
    std::minstd_rand chance(1);
    std::normal_distribution<double> noise(0, 10);
    std::size_t alarms = 0;
    std::size_t found = 0;
    for (int round = 0; round < 200; ++round) {
        std::vector<double> values;
        for (std::size_t i = 0; i < times.size(); ++i)
            values.push_back(50 + noise(chance));
        alarms += soak::is_growing(soak::trend_of(times, values), 0.5);
        for (std::size_t i = 0; i < times.size(); ++i)
            values[i] += 2.5 * times[i];
        found += soak::is_growing(soak::trend_of(times, values), 0.5);
    }
    CHECK(alarms == 0);
    CHECK(found >= 195);
}

TEST_CASE("soak trend: one that goes down is not growing") {
    const std::vector<double> times = count_to(10);
    const std::vector<double> values = {9, 8, 7, 6, 5, 4, 3, 2, 1, 0};
    CHECK_FALSE(soak::is_growing(soak::trend_of(times, values), 0));
}
