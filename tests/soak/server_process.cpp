// SPDX-License-Identifier: MIT
#include "server_process.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <iterator>
#include <sys/socket.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace soak {

namespace {

int checked(int answer, const char* call) {
    if (answer < 0)
        throw std::system_error(errno, std::generic_category(), call);
    return answer;
}

/// Two ends that are connected. Sockets and not a pipe, since sockets are what streams are made of.
std::array<int, 2> make_ends() {
    std::array<int, 2> ends = {};
    checked(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), "socketpair");
    return ends;
}

} // namespace

server_process::server_process(const std::vector<std::string>& command) {
    std::vector<char*> words;
    for (const std::string& each : command)
        words.push_back(const_cast<char*>(each.c_str()));
    words.push_back(nullptr);
    const std::array<int, 2> output = make_ends();
    const std::array<int, 2> errors = make_ends();
    process_ = checked(::fork(), "fork");
    if (process_ == 0) {
        ::setpgid(0, 0);
        ::dup2(output[1], STDOUT_FILENO);
        ::dup2(errors[1], STDERR_FILENO);
        ::execvp(words.front(), words.data());
        ::_exit(127);
    }
    ::setpgid(process_, process_); // in both processes, so that it is done whoever goes on first
    ::close(output[1]);
    ::close(errors[1]);
    output_ = output[0];
    errors_ = errors[0];
}

server_process::~server_process() {
    for (const coracle::native_handle each : {output_, errors_}) {
        if (each != coracle::no_handle)
            ::close(static_cast<int>(each));
    }
    if (process_ > 0) {
        ::kill(-process_, SIGKILL);
        ::waitpid(process_, nullptr, 0);
    }
}

coracle::tcp_stream server_process::take_output() {
    return coracle::tcp_stream::adopt(std::exchange(output_, coracle::no_handle));
}

coracle::tcp_stream server_process::take_errors() {
    return coracle::tcp_stream::adopt(std::exchange(errors_, coracle::no_handle));
}

std::size_t server_process::descriptors() const {
    const std::filesystem::directory_iterator all("/proc/" + std::to_string(process_) + "/fd");
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

void server_process::interrupt() const {
    checked(::kill(-process_, SIGINT), "kill");
}

int server_process::exit_code() {
    int status = 0;
    checked(::waitpid(std::exchange(process_, -1), &status, 0), "waitpid");
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

} // namespace soak
