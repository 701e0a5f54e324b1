// SPDX-License-Identifier: MIT
//
// Runs a piece of a test in a child process, for what ends the process: a broken rule, or a
// sanitizer's report. Each platform defines it in its own folder.
#pragma once

#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>

namespace coracle::test {

struct child_outcome {
    std::string error_output;
    bool aborted = false;   // by SIGABRT
    bool succeeded = false; // it came to the end of its work

    bool said(std::string_view words) const {
        return error_output.find(words) != std::string::npos;
    }
};

/// Runs `work` in a child process and collects what it writes to stderr. Work that has come to its
/// end, or calls std::_Exit, runs no destructors that belong to the parent.
[[nodiscard]] child_outcome in_child_process(const std::function<void()>& work);

} // namespace coracle::test
