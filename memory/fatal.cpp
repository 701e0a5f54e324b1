// SPDX-License-Identifier: MIT
//
// The line is put together on the stack and leaves in one write, so that the lines of several
// threads do not interleave and a heap that is already broken is not asked for memory.

#include "fatal.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>

namespace coracle::detail {

void fatal(std::string_view message) noexcept {
    constexpr std::string_view prefix = "coracle: fatal: ";
    std::array<char, 4096> line;
    auto end = std::copy(prefix.begin(), prefix.end(), line.begin());
    // A message that does not fit is cut rather than sent in pieces.
    message = message.substr(0, line.size() - prefix.size() - 1);
    end = std::copy(message.begin(), message.end(), end);
    *end++ = '\n';
    // stderr is unbuffered, so this is one write(2).
    std::fwrite(line.data(), 1, static_cast<std::size_t>(end - line.begin()), stderr);
    std::abort();
}

} // namespace coracle::detail
