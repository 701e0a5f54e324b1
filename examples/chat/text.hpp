// SPDX-License-Identifier: MIT
//
// text: what may be a name, and what may be shown on somebody else's terminal. Pure functions.
#pragma once

#include <string>
#include <string_view>

namespace chat {

/// Whether `name` is 1 to 16 ASCII letters, digits, '_' and '-'.
[[nodiscard]] bool is_valid_name(std::string_view name) noexcept;

/// Appends `text` with '?' for every control character and for every byte that is not UTF-8, and a
/// space for a tab. So nobody can move another one's cursor, and what is sent on is valid UTF-8.
void append_printable(std::string& to, std::string_view text);

} // namespace chat
