// SPDX-License-Identifier: MIT
//
// A place in the source as words, for messages that name who made or took something.
#pragma once

#include <source_location>
#include <string>

namespace coracle::detail {

/// As "task<> serve(tcp_stream) (server.cpp:12)": the function without the arguments of templates,
/// the file without its folder.
[[nodiscard]] std::string words_for(const std::source_location& place);

} // namespace coracle::detail
