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

std::string words_for(const origin& made) {
    if (!inspectable)
        return "a place that this build does not record";
    const std::source_location where = made.where();
    const std::string_view path = where.file_name();
    std::string text = fmt::format("{} ({}:{})", short_name(where.function_name()),
                                   path.substr(path.find_last_of("/\\") + 1), where.line());
    if (made.job())
        text += fmt::format(" by the job {}", short_name(made.job()));
    return text;
}

std::string words_for_all(const std::vector<origin>& all, std::string_view done) {
    std::map<std::string, std::size_t> places;
    for (const origin& each : all)
        ++places[words_for(each)];
    std::string text;
    for (const auto& [place, count] : places)
        text += fmt::format("{}{} {} in {}", text.empty() ? "" : ", ", count, done, place);
    return text;
}

} // namespace coracle::detail
