// SPDX-License-Identifier: MIT
//
// Runs a piece of a test in a child process, for what ends the process: a broken rule, or a
// sanitizer's report.
#pragma once

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

namespace coracle::test {

struct child_outcome {
    std::string error_output;
    bool aborted = false;   // by SIGABRT
    bool succeeded = false; // it came to the end of its work

    bool said(std::string_view words) const {
        return error_output.find(words) != std::string::npos;
    }
};

inline std::string read_to_end(int file) {
    std::string text;
    std::array<char, 4096> piece{};
    for (ssize_t length = 0; (length = ::read(file, piece.data(), piece.size())) > 0;) {
        text.append(piece.data(), static_cast<std::size_t>(length));
    }
    return text;
}

/// Runs `work` in a child process and collects what it writes to stderr.
template <typename Work>
child_outcome in_child_process(Work work) {
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0) {
        throw std::system_error(errno, std::generic_category(), "pipe");
    }
    std::fflush(stdout); // or the child would print it once more
    const pid_t child = ::fork();
    if (child < 0) {
        throw std::system_error(errno, std::generic_category(), "fork");
    }
    if (child == 0) {
        std::signal(SIGABRT, SIG_DFL); // or the test framework would report the abort as its own
        ::dup2(ends[1], STDERR_FILENO);
        ::close(ends[0]);
        ::close(ends[1]);
        work();
        ::_exit(EXIT_SUCCESS); // without the destructors that belong to the parent
    }
    ::close(ends[1]);
    child_outcome outcome;
    outcome.error_output = read_to_end(ends[0]);
    ::close(ends[0]);
    int status = 0;
    if (::waitpid(child, &status, 0) != child) {
        throw std::system_error(errno, std::generic_category(), "waitpid");
    }
    outcome.aborted = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
    outcome.succeeded = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
    return outcome;
}

} // namespace coracle::test
