// SPDX-License-Identifier: MIT
//
// text: what may be a name, and what may be shown on somebody else's terminal. Pure functions.
#pragma once

#include <string>
#include <string_view>

namespace chat {

/// Whether `name` is 1 to 16 ASCII work items, digits, '_' and '-'.
[[nodiscard]] bool is_valid_name(std::string_view name) noexcept;

/// Appends `text` as it may be shown on another terminal, in valid UTF-8:
///
/// - a tab becomes a space;
/// - a control character, a line or paragraph separator, and each byte that is not UTF-8 become
/// '?';
/// - a character that Unicode calls Default_Ignorable_Code_Point is dropped: it has no glyph, but
///   hides text or reorders it. These are bidirectional controls, zero-width characters, soft
///   hyphens, tags and variation selectors; joiners too, so that some scripts lose a ligature.
void append_printable(std::string& to, std::string_view text);

} // namespace chat
