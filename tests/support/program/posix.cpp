// SPDX-License-Identifier: MIT
#include "../program.hpp"

#include <array>
#include <cerrno>
#include <coracle/io/posix/differences.hpp>
#include <cstdlib>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace coracle::test {

namespace {

int checked(int answer, const char* call) {
    if (answer < 0)
        throw std::system_error(errno, std::generic_category(), call);
    return answer;
}

int native(native_handle handle) {
    return static_cast<int>(handle);
}

/// Empty at the end, or after a reset.
std::string read_from(native_handle handle, int within_ms) {
    pollfd waiting = {native(handle), POLLIN, 0};
    const int ready = ::poll(&waiting, 1, within_ms);
    REQUIRE(ready == 1);
    std::array<char, 4096> piece;
    const ssize_t count = ::read(native(handle), piece.data(), piece.size());
    return count > 0 ? std::string(piece.data(), static_cast<std::size_t>(count)) : std::string();
}

std::array<int, 2> make_pipe() {
    std::array<int, 2> made = {};
    checked(::pipe(made.data()), "pipe");
    for (const int end : made)
        checked(::fcntl(end, F_SETFD, FD_CLOEXEC), "fcntl");
    return made;
}

} // namespace

void pipe_end::close() noexcept {
    if (handle_ != no_handle)
        ::close(native(std::exchange(handle_, no_handle)));
}

std::string pipe_end::read_some(int within_ms) {
    return handle_ == no_handle ? std::string() : read_from(handle_, within_ms);
}

blocking_connection::blocking_connection(std::uint16_t port, int receive_buffer_bytes)
    : handle_(checked(::socket(AF_INET, SOCK_STREAM | posix::close_on_exec, 0), "socket")) {
    if (receive_buffer_bytes > 0)
        checked(::setsockopt(native(handle_), SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes,
                             sizeof receive_buffer_bytes),
                "setsockopt");
    sockaddr_in server = {};
    server.sin_family = AF_INET;
    server.sin_port = htons(port);
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    checked(::connect(native(handle_), reinterpret_cast<const sockaddr*>(&server), sizeof server),
            "connect");
}

blocking_connection::~blocking_connection() {
    if (handle_ != no_handle)
        ::close(native(handle_));
}

std::string blocking_connection::read_some(int within_ms) {
    return read_from(handle_, within_ms);
}

void blocking_connection::send(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t count = ::send(native(handle_), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        REQUIRE(count > 0);
        bytes.remove_prefix(static_cast<std::size_t>(count));
    }
}

void blocking_connection::end_sending() {
    checked(::shutdown(native(handle_), SHUT_WR), "shutdown");
}

void blocking_connection::reset() {
    const linger at_once = {1, 0};
    checked(::setsockopt(native(handle_), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once),
            "setsockopt");
    ::close(native(std::exchange(handle_, no_handle)));
}

program::started program::start(const char* path, const std::vector<std::string>& arguments,
                                const char* backend) {
    const std::array<int, 2> out = make_pipe();
    const std::array<int, 2> err = make_pipe();
    std::vector<char*> all = {const_cast<char*>(path)};
    for (const std::string& each : arguments)
        all.push_back(const_cast<char*>(each.c_str()));
    all.push_back(nullptr);
    const pid_t process = checked(::fork(), "fork");
    if (process == 0) {
        ::dup2(out[1], STDOUT_FILENO);
        ::dup2(err[1], STDERR_FILENO);
        if (backend)
            ::setenv("CORACLE_BACKEND", backend, 1);
        ::execv(path, all.data());
        ::_exit(127);
    }
    ::close(out[1]);
    ::close(err[1]);
    return {process, out[0], err[0]};
}

program::~program() {
    if (process_ != no_handle) {
        ::kill(native(process_), SIGKILL);
        ::waitpid(native(process_), nullptr, 0);
    }
}

void program::send_signal(int number) {
    checked(::kill(native(process_), number), "kill");
}

void program::freeze() {
    send_signal(SIGSTOP);
    int status = 0;
    checked(::waitpid(native(process_), &status, WUNTRACED), "waitpid");
    REQUIRE(WIFSTOPPED(status));
}

int program::exit_code() {
    written = output.rest(end_guard_ms);
    complaint = errors.rest(end_guard_ms);
    int status = 0;
    checked(::waitpid(native(process_), &status, 0), "waitpid");
    process_ = no_handle;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

std::vector<int> ending_signals() {
    return {SIGINT, SIGTERM};
}

std::string describe(std::errc error) {
    return std::make_error_code(error).message();
}

} // namespace coracle::test
