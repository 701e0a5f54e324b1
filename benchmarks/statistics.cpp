// SPDX-License-Identifier: MIT
//
// Reads "GROUP;NAME;FIGURE" lines, in the order in which they were measured, and prints a table in
// Markdown. A ratio is the median of the rounds' ratios, since the figures of one round saw the
// same machine. It is to the yardstick of the group: of the names that begin with the argument, the
// one with the smallest median.

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

namespace {

using figures = std::vector<double>;

/// The figure at that part of the way from the smallest to the largest.
double at(figures sorted, double part) {
    std::sort(sorted.begin(), sorted.end());
    const double place = part * static_cast<double>(sorted.size() - 1);
    const auto low = static_cast<std::size_t>(place);
    const std::size_t high = std::min(low + 1, sorted.size() - 1);
    return sorted[low] + (sorted[high] - sorted[low]) * (place - static_cast<double>(low));
}

struct contestant {
    std::string group;
    std::string name;
    figures measured;
};

std::vector<contestant> read_all() {
    std::vector<contestant> all;
    std::string group;
    std::string name;
    std::string figure;
    while (std::getline(std::cin, group, ';') && std::getline(std::cin, name, ';') &&
           std::getline(std::cin, figure)) {
        auto found = std::find_if(all.begin(), all.end(), [&](const contestant& each) {
            return each.group == group && each.name == name;
        });
        if (found == all.end())
            found = all.insert(found, {group, name, {}});
        found->measured.push_back(std::stod(figure));
    }
    return all;
}

const contestant& yardstick_of(const std::vector<contestant>& all, const contestant& of,
                               const std::string& prefix) {
    const contestant* best = &of;
    double smallest = 0;
    for (const contestant& each : all) {
        if (each.group != of.group || !each.name.starts_with(prefix))
            continue;
        const double median = at(each.measured, 0.5);
        if (smallest == 0 || median < smallest) {
            smallest = median;
            best = &each;
        }
    }
    return *best;
}

} // namespace

int main(int count, char** arguments) {
    const std::string prefix = count > 1 ? arguments[1] : "";
    const std::vector<contestant> all = read_all();
    std::puts(
        "| clients        | server                     | median |    min |    max | x best raw "
        "| quartiles       |");
    std::puts(
        "|---------------:|----------------------------|-------:|-------:|-------:|-----------:"
        "|-----------------|");
    for (const contestant& each : all) {
        figures ratios = each.measured;
        const figures& best = yardstick_of(all, each, prefix).measured;
        for (std::size_t i = 0; i < std::min(ratios.size(), best.size()); ++i)
            ratios[i] /= best[i];
        std::printf("| %14s | %-26s | %6.2f | %6.2f | %6.2f | %10.3f | %.3f and %.3f |\n",
                    each.group.c_str(), each.name.c_str(), at(each.measured, 0.5),
                    at(each.measured, 0), at(each.measured, 1), at(ratios, 0.5), at(ratios, 0.25),
                    at(ratios, 0.75));
    }
}
