// SPDX-License-Identifier: MIT

#include "place.hpp"

#include <fmt/format.h>
#include <string_view>

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

} // namespace coracle::detail
