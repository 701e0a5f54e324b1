// SPDX-License-Identifier: MIT

#include "describe.hpp"

#include <fmt/format.h>
#include <map>

namespace coracle::detail {

std::string_view short_name(std::string_view function) noexcept {
    return function.substr(0, function.find(" ["));
}

std::string_view base_name(std::string_view path) noexcept {
    return path.substr(path.find_last_of("/\\") + 1);
}

std::string describe(const std::source_location& at) {
    return fmt::format("{} ({}:{})", short_name(at.function_name()), base_name(at.file_name()),
                       at.line());
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
