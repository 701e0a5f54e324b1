// SPDX-License-Identifier: MIT
#include "command.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace chat {

namespace {

struct word_meaning {
    std::string_view word;
    verb what;
};

constexpr std::array words = {
    word_meaning{"/nick", verb::nick},   word_meaning{"/who", verb::who},
    word_meaning{"/msg", verb::message}, word_meaning{"/me", verb::act},
    word_meaning{"/help", verb::help},   word_meaning{"/quit", verb::quit},
};

std::string_view trimmed(std::string_view text) noexcept {
    const std::size_t first = text.find_first_not_of(' ');
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

/// Takes the first word off `text`, and the blanks behind it.
std::string_view take_word(std::string_view& text) noexcept {
    const std::string_view word = text.substr(0, text.find(' '));
    text = trimmed(text.substr(word.size()));
    return word;
}

verb meaning_of(std::string_view word) noexcept {
    const auto* const found = std::find_if(
        words.begin(), words.end(), [word](const word_meaning& each) { return each.word == word; });
    return found == words.end() ? verb::unknown : found->what;
}

} // namespace

command parse_command(std::string_view line) noexcept {
    std::string_view rest = trimmed(line);
    if (rest.empty())
        return {};
    if (line.front() != '/')
        return {verb::say, {}, line};
    const std::string_view word = take_word(rest);
    const verb what = meaning_of(word);
    switch (what) {
    case verb::nick:
        return {what, rest, {}};
    case verb::message: {
        const std::string_view name = take_word(rest);
        return {what, name, rest};
    }
    case verb::act:
        return {what, {}, rest};
    case verb::unknown:
        return {what, word, {}};
    case verb::nothing:
    case verb::say:
    case verb::who:
    case verb::help:
    case verb::quit:
        break;
    }
    return {what, {}, {}};
}

} // namespace chat
