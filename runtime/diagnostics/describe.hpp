// SPDX-License-Identifier: MIT
//
// A creation site as words, for messages that name who made or took something.
#pragma once

#include "creation_site.hpp"
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

namespace coracle::detail {

/// As "task<> serve(tcp_stream) (server.cpp:12)": the function without the arguments of templates,
/// the file without its folder.
[[nodiscard]] std::string describe(const std::source_location& at);

/// As "task<> serve(tcp_stream) (server.cpp:12), by the job talk": the function without the
/// arguments of templates, the file without its folder, and the job if one ran.
[[nodiscard]] std::string describe(const creation_site& where);

/// Several, each place once: "2 `done` in task<> serve() (server.cpp:12), 1 `done` in ...".
[[nodiscard]] std::string describe_all(const std::vector<creation_site>& all,
                                       std::string_view done);

} // namespace coracle::detail
