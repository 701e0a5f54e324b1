// SPDX-License-Identifier: MIT
#include "../child_process.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <sys/types.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

namespace coracle::test {

namespace {

constexpr unsigned guard_s = 60; // against hanging, and nothing else

std::string read_to_end(int file) {
    std::string text;
    std::array<char, 4096> piece{};
    for (ssize_t length = 0; (length = ::read(file, piece.data(), piece.size())) > 0;) {
        text.append(piece.data(), static_cast<std::size_t>(length));
    }
    return text;
}

} // namespace

child_outcome in_child_process(const std::function<void()>& work) {
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
        ::alarm(guard_s);
        work();
        std::_Exit(EXIT_SUCCESS);
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
