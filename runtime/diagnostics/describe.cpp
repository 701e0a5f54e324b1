// SPDX-License-Identifier: MIT

#include "describe.hpp"

#include <fmt/format.h>
#include <map>

namespace coracle::detail {

namespace {

/// Without the arguments of templates, which say more than one wants to read.
std::string_view short_name(std::string_view function) noexcept {
    return function.substr(0, function.find(" ["));
}

} // namespace

std::string describe(const std::source_location& at) {
    const std::string_view path = at.file_name();
    return fmt::format("{} ({}:{})", short_name(at.function_name()),
                       path.substr(path.find_last_of("/\\") + 1), at.line());
}

std::string describe(const creation_site& where) {
    if (!inspectable)
        return "a place that this build does not record";
    std::string text = describe(where.where());
    if (where.job())
        text += fmt::format(" by the job {}", short_name(where.job()));
    return text;
}

std::string describe_all(const std::vector<creation_site>& all, std::string_view done) {
    std::map<std::string, std::size_t> places;
    for (const creation_site& each : all)
        ++places[describe(each)];
    std::string text;
    for (const auto& [place, count] : places)
        text += fmt::format("{}{} {} in {}", text.empty() ? "" : ", ", count, done, place);
    return text;
}

} // namespace coracle::detail
