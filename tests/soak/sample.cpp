// SPDX-License-Identifier: MIT
#include "sample.hpp"

#include <charconv>
#include <cstdint>
#include <cstdio>

namespace soak {

namespace {

std::optional<double> number_after(std::string_view line, std::string_view key) {
    const std::string mark = '"' + std::string(key) + "\":";
    const std::size_t found = line.find(mark);
    if (found == std::string_view::npos)
        return {};
    line.remove_prefix(found + mark.size());
    std::uint64_t number = 0;
    if (std::from_chars(line.data(), line.data() + line.size(), number).ec != std::errc())
        return {};
    return static_cast<double>(number);
}

std::string text_of(double number) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.10g", number);
    return text.data();
}

} // namespace

std::optional<sample> parse_report(std::string_view line) {
    sample taken;
    for (const quantity& each : quantities) {
        if (each.key.empty())
            continue;
        const std::optional<double> number = number_after(line, each.key);
        if (!number)
            return {};
        taken.*each.value = *number;
    }
    return taken;
}

std::string csv_header() {
    std::string text = "age_s,connections";
    for (const quantity& each : quantities)
        text.append(",").append(each.name);
    return text;
}

std::string csv_row(const sample& taken) {
    std::string text = text_of(taken.age_s) + "," + text_of(taken.connections);
    for (const quantity& each : quantities)
        text.append(",").append(text_of(taken.*each.value));
    return text;
}

} // namespace soak
