// SPDX-License-Identifier: MIT
//
// create_process: another program, from tests.
#pragma once

#include <coracle/io/windows/winsock.hpp>
#include <string>

namespace coracle::test {

/// Starts a program that inherits handles. False as CreateProcess says it, with GetLastError.
[[nodiscard]] inline bool create_process(std::string line, STARTUPINFOA& how,
                                         PROCESS_INFORMATION& made) {
    int tries_left = 3;
    while (!::CreateProcessA(nullptr, line.data(), nullptr, nullptr, TRUE, 0, nullptr, nullptr,
                             &how, &made)) {
        // Wine now and then ends a program before it has begun: 1 in 2,000 on a busy machine.
        if (--tries_left == 0 || ::GetLastError() != ERROR_INTERNAL_ERROR)
            return false;
    }
    return true;
}

} // namespace coracle::test
