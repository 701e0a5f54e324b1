// SPDX-License-Identifier: MIT
//
// An origin as words, for messages that name who made or took something.
#pragma once

#include "origin.hpp"
#include <string>

namespace coracle::detail {

/// As "task<> serve(tcp_stream) (server.cpp:12), by the job talk": the function without the
/// arguments of templates, the file without its folder, and the job if one ran.
[[nodiscard]] std::string words_for(const origin& made);

} // namespace coracle::detail
