// SPDX-License-Identifier: MIT
#include "command.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace chat {

namespace {

struct command_word {
    std::string_view word;
    command_type type;
};

constexpr std::array words = {
    command_word{"/nick", command_type::nick}, command_word{"/who", command_type::who},
    command_word{"/msg", command_type::msg},   command_word{"/me", command_type::me},
    command_word{"/help", command_type::help}, command_word{"/quit", command_type::quit},
};

std::string_view trimmed(std::string_view text) noexcept {
    const std::size_t first = text.find_first_not_of(' ');
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

/// Removes the first word, and the spaces after it, from `text`; returns the word.
std::string_view take_word(std::string_view& text) noexcept {
    const std::string_view word = text.substr(0, text.find(' '));
    text = trimmed(text.substr(word.size()));
    return word;
}

command_type type_of(std::string_view word) noexcept {
    const auto* const found = std::find_if(
        words.begin(), words.end(), [word](const command_word& each) { return each.word == word; });
    return found == words.end() ? command_type::unknown : found->type;
}

} // namespace

command parse_command(std::string_view line) noexcept {
    std::string_view rest = trimmed(line);
    if (rest.empty())
        return {};
    if (line.front() != '/')
        return {command_type::say, {}, line};
    const std::string_view word = take_word(rest);
    const command_type type = type_of(word);
    switch (type) {
    case command_type::nick:
        return {type, rest, {}};
    case command_type::msg: {
        const std::string_view name = take_word(rest);
        return {type, name, rest};
    }
    case command_type::me:
        return {type, {}, rest};
    case command_type::unknown:
        return {type, word, {}};
    case command_type::none:
    case command_type::say:
    case command_type::who:
    case command_type::help:
    case command_type::quit:
        break;
    }
    return {type, {}, {}};
}

} // namespace chat
