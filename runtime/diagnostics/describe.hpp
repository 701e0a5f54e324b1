// SPDX-License-Identifier: MIT
//
// describe: places in the program as text, for messages.
#pragma once

#include "creation_site.hpp"
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

namespace coracle::detail {

/// A function's name without its template arguments: "task<T> f(T)" of "task<T> f(T) [T = int]".
[[nodiscard]] std::string_view short_name(std::string_view function) noexcept;

/// A file's name without its folder.
[[nodiscard]] std::string_view base_name(std::string_view path) noexcept;

/// As "task<> serve(tcp_stream) (server.cpp:12)".
[[nodiscard]] std::string describe(const std::source_location& at);

/// As "task<> serve(tcp_stream) (server.cpp:12) by the job talk"; without the job if none ran.
[[nodiscard]] std::string describe(const creation_site& where);

/// Several, with the number of each: "2 `done` in task<> serve() (server.cpp:12), 1 `done` in ...".
[[nodiscard]] std::string describe_all(const std::vector<creation_site>& all,
                                       std::string_view done);

} // namespace coracle::detail
