// SPDX-License-Identifier: MIT
//
// Valid names, and text that is safe to show on a terminal.
#include <doctest/doctest.h>
#include <string>
#include <string_view>
#include <text.hpp>

namespace {

std::string printable(std::string_view text) {
    std::string result;
    chat::append_printable(result, text);
    return result;
}

} // namespace

TEST_CASE("chat text: names are 1 to 16 letters, digits, '_' and '-'") {
    CHECK(chat::is_valid_name("a"));
    CHECK(chat::is_valid_name("Az09_-"));
    CHECK(chat::is_valid_name("exactly-16-bytes"));
    CHECK_FALSE(chat::is_valid_name(""));
    CHECK_FALSE(chat::is_valid_name("more-than-16-byte"));
    CHECK_FALSE(chat::is_valid_name("two words"));
    CHECK_FALSE(chat::is_valid_name("dot."));
    CHECK_FALSE(chat::is_valid_name("\xc3\xa4")); // a work item, but not an ASCII one
    CHECK_FALSE(chat::is_valid_name(std::string_view("a\0b", 3)));
}

TEST_CASE("chat text: UTF-8 passes unharmed") {
    for (const std::string_view text : {
             "plain ASCII ~!",
             "\xc2\xa0\xdf\xbf",                     // the ends of two bytes, without the controls
             "\xe0\xa0\x80\xed\x9f\xbf\xef\xbf\xbf", // of three, around the surrogates
             "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf",     // of four
             "gr\xc3\xbc\xc3\x9f"
             "e \xe2\x82\xac \xf0\x9f\x9b\xb6",
         }) {
        CHECK(printable(text) == text);
    }
}

TEST_CASE("chat text: control characters are replaced") {
    CHECK(printable("a\tb") == "a b");
    CHECK(printable("\x1b[2Jboo\x07\r\x7f") == "?[2Jboo???");
    CHECK(printable(std::string_view("a\0b", 3)) == "a?b");
    CHECK(printable("\xc2\x80\xc2\x9b"
                    "2J\xc2\x9f") == "??2J?");
}

TEST_CASE("chat text: separators of lines and paragraphs are replaced") {
    CHECK(printable("a\xe2\x80\xa8\xe2\x80\xa9z") == "a??z");
}

TEST_CASE("chat text: what has no glyph is dropped, and its neighbours are not") {
    const auto utf8 = [](char32_t code) {
        std::string bytes;
        const auto add = [&bytes](char32_t byte) { bytes += static_cast<char>(byte); };
        if (code < 0x800) {
            add(0xc0 | code >> 6);
        } else if (code < 0x10000) {
            add(0xe0 | code >> 12);
            add(0x80 | (code >> 6 & 0x3f));
        } else {
            add(0xf0 | code >> 18);
            add(0x80 | (code >> 12 & 0x3f));
            add(0x80 | (code >> 6 & 0x3f));
        }
        add(0x80 | (code & 0x3f));
        return bytes;
    };
    // Soft hyphen, joiner, Arabic letter mark, Hangul and Khmer fillers, Mongolian selectors,
    // zero-width and bidirectional controls, variation selectors, byte order mark, tags.
    const char32_t ranges[][2] = {
        {0xad, 0xad},       {0x34f, 0x34f},   {0x61c, 0x61c},     {0x115f, 0x1160},
        {0x17b4, 0x17b5},   {0x180b, 0x180f}, {0x200b, 0x200f},   {0x202a, 0x202e},
        {0x2060, 0x206f},   {0x3164, 0x3164}, {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},
        {0xffa0, 0xffa0},   {0xfff0, 0xfff8}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a},
        {0xe0000, 0xe0fff},
    };
    for (const auto& [first, last] : ranges) {
        for (char32_t code = first; code <= last; ++code) {
            CAPTURE(static_cast<unsigned>(code));
            REQUIRE(printable("a" + utf8(code) + "z") == "az");
        }
        CAPTURE(static_cast<unsigned>(first));
        CHECK_FALSE(printable(utf8(first - 1)).empty());
        CHECK_FALSE(printable(utf8(last + 1)).empty());
    }
}

TEST_CASE("chat text: what is not UTF-8 is replaced byte by byte") {
    CHECK(printable("\x80\xbf") == "??");            // continuations of nothing
    CHECK(printable("\xc0\xaf") == "??");            // longer than needed
    CHECK(printable("\xe0\x9f\xbf") == "???");       // the same in three bytes
    CHECK(printable("\xf0\x8f\xbf\xbf") == "????");  // and four
    CHECK(printable("\xed\xa0\x80") == "???");       // half of a surrogate pair
    CHECK(printable("\xf4\x90\x80\x80") == "????");  // beyond Unicode
    CHECK(printable("\xf5\xff") == "??");            // never begin anything
    CHECK(printable("\xe2\x82") == "??");            // cut short by the end
    CHECK(printable("\xe2\x82z\xc3") == "??z?");     // by another character
    CHECK(printable("\xe2\xc3\xa4") == "?\xc3\xa4"); // which is not lost
}
