// SPDX-License-Identifier: MIT
#include "text.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace chat {

namespace {

constexpr std::size_t max_name_bytes = 16;

bool is_name_character(char each) noexcept {
    return (each >= 'a' && each <= 'z') || (each >= 'A' && each <= 'Z') ||
           (each >= '0' && each <= '9') || each == '_' || each == '-';
}

unsigned byte_at(std::string_view text, std::size_t index) noexcept {
    return static_cast<unsigned char>(text[index]);
}

/// The length of a character whose first byte is `first`; 0 if it cannot be a first byte. RFC 3629.
std::size_t length_after(unsigned first) noexcept {
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first <= 0xdf)
        return 2;
    if (first >= 0xe0 && first <= 0xef)
        return 3;
    return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

/// The length in bytes of the first character of `text`; 0 if it is not valid UTF-8.
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
    // Overlong forms, surrogates, and code points above U+10FFFF.
    const unsigned second = byte_at(text, 1);
    const bool forbidden = (first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
                           (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f);
    return forbidden ? 0 : length;
}

/// The code point of a valid character.
char32_t decode(std::string_view character) noexcept {
    const unsigned first = byte_at(character, 0);
    if (character.size() == 1)
        return first;
    char32_t code = first & (0x7fU >> character.size());
    for (std::size_t i = 1; i < character.size(); ++i)
        code = code << 6U | (byte_at(character, i) & 0x3fU);
    return code;
}

/// C0, DEL and C1 control characters, and the separators U+2028 and U+2029, which some programs
/// show as a new line.
bool is_control(char32_t code) noexcept {
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029;
}

struct code_range {
    char32_t first;
    char32_t last;
};

/// Default_Ignorable_Code_Point, as of Unicode 14.
constexpr std::array<code_range, 17> ignorable = {{
    {0x00ad, 0x00ad},
    {0x034f, 0x034f},
    {0x061c, 0x061c},
    {0x115f, 0x1160},
    {0x17b4, 0x17b5},
    {0x180b, 0x180f},
    {0x200b, 0x200f},
    {0x202a, 0x202e},
    {0x2060, 0x206f},
    {0x3164, 0x3164},
    {0xfe00, 0xfe0f},
    {0xfeff, 0xfeff},
    {0xffa0, 0xffa0},
    {0xfff0, 0xfff8},
    {0x1bca0, 0x1bca3},
    {0x1d173, 0x1d17a},
    {0xe0000, 0xe0fff},
}};

bool is_ignorable(char32_t code) noexcept {
    return std::any_of(ignorable.begin(), ignorable.end(), [code](const code_range& each) {
        return code >= each.first && code <= each.last;
    });
}

} // namespace

bool is_valid_name(std::string_view name) noexcept {
    return !name.empty() && name.size() <= max_name_bytes &&
           std::all_of(name.begin(), name.end(), is_name_character);
}

void append_printable(std::string& to, std::string_view text) {
    while (!text.empty()) {
        const std::size_t length = character_length(text);
        const std::string_view character = text.substr(0, std::max(length, std::size_t{1}));
        const char32_t code = length == 0 ? 0 : decode(character);
        if (code == '\t')
            to += ' ';
        else if (is_control(code))
            to += '?';
        else if (!is_ignorable(code))
            to += character;
        text.remove_prefix(character.size());
    }
}

} // namespace chat
