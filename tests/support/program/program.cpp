// SPDX-License-Identifier: MIT
#include "../program.hpp"

#include <cstdint>
#include <doctest/doctest.h>
#include <utility>

namespace coracle::test {

std::string source::take_until(std::string_view mark) {
    std::size_t end = 0;
    while ((end = text_.find(mark)) == std::string::npos) {
        INFO("so far: ", text_);
        REQUIRE(read_more());
    }
    const std::string taken = text_.substr(0, end);
    text_.erase(0, end + mark.size());
    return taken;
}

std::string source::take(std::size_t count) {
    while (text_.size() < count)
        REQUIRE(read_more());
    const std::string taken = text_.substr(0, count);
    text_.erase(0, count);
    return taken;
}

std::string source::rest(int within_ms) {
    while (read_more(within_ms)) {
    }
    return std::exchange(text_, {});
}

bool source::read_more(int within_ms) {
    const std::string piece = read_some(within_ms);
    text_ += piece;
    return !piece.empty();
}

std::uint16_t program::port() {
    const std::string line = output.line();
    INFO(line);
    const std::size_t colon = line.rfind(':');
    REQUIRE(colon != std::string::npos);
    return static_cast<std::uint16_t>(std::stoi(line.substr(colon + 1)));
}

} // namespace coracle::test
