// SPDX-License-Identifier: MIT
//
// text: valid names, and text that is safe to show on a terminal. Pure functions.
#pragma once

#include <string>
#include <string_view>

namespace chat {

/// Whether `name` is 1 to 16 ASCII letters, digits, '_' and '-'.
[[nodiscard]] bool is_valid_name(std::string_view name) noexcept;

/// Appends `text` as valid UTF-8 that is safe to show on another terminal:
///
/// - a tab becomes a space;
/// - control characters, U+2028, U+2029, and each byte that is not valid UTF-8 become '?';
/// - characters that Unicode lists as Default_Ignorable_Code_Point are removed. They are invisible,
///   and hide or reorder text: bidirectional controls, zero-width characters, soft hyphens, tags,
///   variation selectors. Joiners are among them, so some scripts and emoji lose ligatures.
void append_printable(std::string& to, std::string_view text);

} // namespace chat
