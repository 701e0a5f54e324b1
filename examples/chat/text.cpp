// SPDX-License-Identifier: MIT
#include "text.hpp"

#include <algorithm>
#include <cstddef>

namespace chat {

namespace {

constexpr std::size_t most_name_bytes = 16;

bool is_name_character(char each) noexcept {
    return (each >= 'a' && each <= 'z') || (each >= 'A' && each <= 'Z') ||
           (each >= '0' && each <= '9') || each == '_' || each == '-';
}

unsigned byte_at(std::string_view text, std::size_t index) noexcept {
    return static_cast<unsigned char>(text[index]);
}

/// How many bytes a character has that begins with `first`; 0 if none does. See RFC 3629.
std::size_t length_after(unsigned first) noexcept {
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first <= 0xdf)
        return 2;
    if (first >= 0xe0 && first <= 0xef)
        return 3;
    return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

/// How many bytes the character has that `text` begins with; 0 if that is not UTF-8.
std::size_t character_length(std::string_view text) noexcept {
    const unsigned first = byte_at(text, 0);
    const std::size_t length = length_after(first);
    if (length <= 1)
        return length;
    if (text.size() < length)
        return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte_at(text, i) & 0xc0U) != 0x80)
            return 0;
    }
    // Longer forms than needed, halves of surrogate pairs, and what is beyond Unicode.
    const unsigned second = byte_at(text, 1);
    const bool forbidden = (first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
                           (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f);
    return forbidden ? 0 : length;
}

/// U+0000 to U+001F, U+007F, and U+0080 to U+009F, which some terminals obey as well.
bool is_control(std::string_view character) noexcept {
    const unsigned first = byte_at(character, 0);
    if (character.size() == 1)
        return first < 0x20 || first == 0x7f;
    return first == 0xc2 && byte_at(character, 1) < 0xa0;
}

} // namespace

bool is_valid_name(std::string_view name) noexcept {
    return !name.empty() && name.size() <= most_name_bytes &&
           std::all_of(name.begin(), name.end(), is_name_character);
}

void append_printable(std::string& to, std::string_view text) {
    while (!text.empty()) {
        const std::size_t length = std::max(character_length(text), std::size_t{1});
        const std::string_view character = text.substr(0, length);
        if (character == "\t")
            to += ' ';
        else if (character_length(text) == 0 || is_control(character))
            to += '?';
        else
            to += character;
        text.remove_prefix(length);
    }
}

} // namespace chat
