// SPDX-License-Identifier: MIT
//
// program: an example as a child process, and blocking connections to it. What a test waits for is
// a line, an end or an exit; the guard is only there so that a test that would hang fails instead.
#pragma once

#include <array>
#include <cerrno>
#include <coracle/io/backend/posix_differences.hpp>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

namespace coracle::test {

inline constexpr int guard_ms = 60'000;

inline int checked(int answer, const char* call) {
    if (answer < 0)
        throw std::system_error(errno, std::generic_category(), call);
    return answer;
}

/// Lines and bytes from a descriptor, which it owns.
class source {
public:
    explicit source(int file) noexcept : file_(file) {}

    ~source() { close(); }

    source(const source&) = delete;
    source& operator=(const source&) = delete;

    [[nodiscard]] int file() const noexcept { return file_; }

    void close() noexcept {
        if (file_ >= 0)
            ::close(file_);
        file_ = -1;
    }

    /// The next line without its end.
    std::string line() { return take_until("\n"); }

    /// What comes before `mark`, which is left out.
    std::string take_until(std::string_view mark) {
        std::size_t end = 0;
        while ((end = text_.find(mark)) == std::string::npos) {
            INFO("so far: ", text_);
            REQUIRE(read_more());
        }
        const std::string taken = text_.substr(0, end);
        text_.erase(0, end + mark.size());
        return taken;
    }

    /// So many bytes.
    std::string take(std::size_t count) {
        while (text_.size() < count)
            REQUIRE(read_more());
        const std::string taken = text_.substr(0, count);
        text_.erase(0, count);
        return taken;
    }

    /// Everything up to the end.
    std::string rest() {
        while (read_more()) {
        }
        return std::exchange(text_, {});
    }

private:
    /// False at the end, or after a reset.
    bool read_more() {
        pollfd waiting = {file_, POLLIN, 0};
        const int ready = ::poll(&waiting, 1, guard_ms);
        REQUIRE(ready == 1);
        std::array<char, 4096> piece;
        const ssize_t count = ::read(file_, piece.data(), piece.size());
        if (count > 0)
            text_.append(piece.data(), static_cast<std::size_t>(count));
        return count > 0;
    }

    int file_;
    std::string text_;
};

/// A connection to a port of the loopback interface.
class connection : public source {
public:
    explicit connection(std::uint16_t port, int receive_buffer_bytes = 0)
        : source(checked(::socket(AF_INET, SOCK_STREAM | posix::close_on_exec, 0), "socket")) {
        if (receive_buffer_bytes > 0)
            checked(::setsockopt(file(), SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes,
                                 sizeof receive_buffer_bytes),
                    "setsockopt");
        sockaddr_in server = {};
        server.sin_family = AF_INET;
        server.sin_port = htons(port);
        server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        checked(::connect(file(), reinterpret_cast<const sockaddr*>(&server), sizeof server),
                "connect");
    }

    void send(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t count = ::send(file(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            REQUIRE(count > 0);
            bytes.remove_prefix(static_cast<std::size_t>(count));
        }
    }

    void end_sending() { checked(::shutdown(file(), SHUT_WR), "shutdown"); }

    void reset() {
        const linger at_once = {1, 0};
        checked(::setsockopt(file(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once),
                "setsockopt");
        close();
    }
};

/// A child process, which does not outlive the object.
class program {
public:
    explicit program(const char* path, std::vector<std::string> arguments = {},
                     const char* backend = nullptr)
        : program(path, std::move(arguments), backend, make_pipe(), make_pipe()) {}

    ~program() {
        if (process_ > 0) {
            ::kill(process_, SIGKILL);
            ::waitpid(process_, nullptr, 0);
        }
    }

    program(const program&) = delete;
    program& operator=(const program&) = delete;

    /// The port in the program's next line, in which an address comes last.
    std::uint16_t port() {
        const std::string line = output.line();
        INFO(line);
        const std::size_t colon = line.rfind(':');
        REQUIRE(colon != std::string::npos);
        return static_cast<std::uint16_t>(std::stoi(line.substr(colon + 1)));
    }

    void send_signal(int number) { checked(::kill(process_, number), "kill"); }

    /// Stops the program as a shell does, and waits until it stands still.
    void freeze() {
        send_signal(SIGSTOP);
        int status = 0;
        checked(::waitpid(process_, &status, WUNTRACED), "waitpid");
        REQUIRE(WIFSTOPPED(status));
    }

    /// Waits for the end. The exit code, or minus the number of the signal that was the end.
    int exit_code() {
        written = output.rest();
        complaint = errors.rest();
        int status = 0;
        checked(::waitpid(process_, &status, 0), "waitpid");
        process_ = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    }

    source output;
    source errors;
    std::string written;   // to the output, and not read before the end
    std::string complaint; // the same of the errors

private:
    using ends = std::array<int, 2>;

    program(const char* path, std::vector<std::string> arguments, const char* backend, ends out,
            ends err)
        : output(out[0]), errors(err[0]) {
        std::vector<char*> all = {const_cast<char*>(path)};
        for (std::string& each : arguments)
            all.push_back(each.data());
        all.push_back(nullptr);
        process_ = checked(::fork(), "fork");
        if (process_ == 0) {
            ::dup2(out[1], STDOUT_FILENO);
            ::dup2(err[1], STDERR_FILENO);
            if (backend)
                ::setenv("CORACLE_BACKEND", backend, 1);
            ::execv(path, all.data());
            ::_exit(127);
        }
        ::close(out[1]);
        ::close(err[1]);
    }

    static ends make_pipe() {
        ends made = {};
        checked(::pipe(made.data()), "pipe");
        for (const int end : made)
            checked(::fcntl(end, F_SETFD, FD_CLOEXEC), "fcntl");
        return made;
    }

    pid_t process_ = -1;
};

} // namespace coracle::test
