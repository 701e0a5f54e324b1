// SPDX-License-Identifier: MIT
//
// Rounds: runs contestants in turn, several times over, and prints one table of their medians.
// Taking turns spreads what else the machine is doing over all of them; the smallest figure of each
// tells how much that was.
#pragma once

#include "program.hpp"

#include <algorithm>
#include <cerrno>
#include <functional>
#include <string>

namespace benchmark {

/// Keeps the compiler from removing an allocation whose memory nobody looks at.
inline void keep(void* pointer) {
    asm volatile("" : : "g"(pointer) : "memory");
}

/// Counts the CPU time of this process: what the machine does meanwhile for others does not count.
class stopwatch {
public:
    /// The nanoseconds of each of `count` things since the start.
    double nanoseconds_each(std::size_t count) const {
        return (now_ns() - started_ns_) / static_cast<double>(count);
    }

private:
    static double now_ns() {
        timespec time{};
        if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) != 0)
            fail("clock_gettime", errno);
        return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
    }

    double started_ns_ = now_ns();
};

class rounds {
public:
    /// `measure` does its work once and returns the nanoseconds of one thing, or in another unit.
    void add(std::string what, std::function<double()> measure) {
        contestants_.push_back({std::move(what), std::move(measure), {}});
    }

    /// The first round warms up and does not count.
    void run(unsigned count) {
        for (contestant& each : contestants_)
            each.measure();
        for (unsigned round = 0; round < count; ++round) {
            for (contestant& each : contestants_)
                each.results.push_back(each.measure());
        }
    }

    void print(const char* title, const char* unit = "ns") {
        std::printf("| %-44s | median %s | min %s | max %s |\n", title, unit, unit, unit);
        std::printf("|%s|----------:|-------:|-------:|\n", std::string(46, '-').c_str());
        for (contestant& each : contestants_) {
            std::ranges::sort(each.results);
            std::printf("| %-44s | %9.2f | %6.2f | %6.2f |\n", each.what.c_str(),
                        each.results[each.results.size() / 2], each.results.front(),
                        each.results.back());
        }
    }

private:
    struct contestant {
        std::string what;
        std::function<double()> measure;
        std::vector<double> results;
    };

    std::vector<contestant> contestants_;
};

} // namespace benchmark
