// SPDX-License-Identifier: MIT

#include "place.hpp"

#include <fmt/format.h>
#include <string_view>

namespace coracle::detail {

std::string words_for(const std::source_location& place) {
    const std::string_view function = place.function_name();
    const std::string_view path = place.file_name();
    return fmt::format("{} ({}:{})", function.substr(0, function.find(" [")),
                       path.substr(path.find_last_of("/\\") + 1), place.line());
}

} // namespace coracle::detail
