// SPDX-License-Identifier: MIT
#include "../raw_sockets.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <coracle/io/backend.hpp>
#include <coracle/io/posix/differences.hpp>
#include <csignal>
#include <dirent.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <fstream>
#include <netinet/in.h>
#include <string>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace coracle::test {

std::vector<native_handle> open_descriptors() {
    std::vector<native_handle> open;
    DIR* const folder = ::opendir("/dev/fd");
    REQUIRE(folder != nullptr);
    while (const dirent* const entry = ::readdir(folder)) {
        const std::string_view name = entry->d_name;
        int number = -1;
        std::from_chars(name.data(), name.data() + name.size(), number);
        if (number >= 0 && number != ::dirfd(folder))
            open.push_back(number);
    }
    ::closedir(folder);
    std::sort(open.begin(), open.end());
    return open;
}

std::optional<std::size_t> registrations(std::string_view backend) {
    if (!(backend == "epoll" || backend == "kqueue") || ::access("/proc/self/fdinfo", R_OK) != 0)
        return std::nullopt;
    std::size_t count = 0;
    for (const native_handle handle : open_descriptors()) {
        std::ifstream information("/proc/self/fdinfo/" + std::to_string(handle));
        for (std::string line; std::getline(information, line);)
            count += line.starts_with("tfd:");
    }
    return count;
}

std::size_t descriptors_to_be_had() {
    rlimit limit = {};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    return static_cast<std::size_t>(limit.rlim_max) - 100;
}

void send_raw(const socket& from, std::string_view text) {
    const auto sent = ::send(static_cast<int>(from.handle()), text.data(), text.size(),
                             MSG_NOSIGNAL | MSG_DONTWAIT);
    REQUIRE(sent == static_cast<ssize_t>(text.size()));
}

native_handle connect_raw(const address& peer) {
    const int handle = ::socket(AF_INET, SOCK_STREAM | posix::close_on_exec, 0);
    sockaddr_in native = {};
    native.sin_family = AF_INET;
    native.sin_port = htons(peer.port());
    native.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(handle, reinterpret_cast<sockaddr*>(&native), sizeof native) == 0)
        return handle;
    ::close(handle);
    return no_handle;
}

std::pair<native_handle, native_handle> raw_pair() {
    std::array<int, 2> ends = {};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | posix::close_on_exec, 0, ends.data()) == 0);
    return {ends[0], ends[1]};
}

void close_raw(native_handle handle) {
    REQUIRE(::close(static_cast<int>(handle)) == 0);
}

void make_non_blocking(native_handle handle) {
    REQUIRE(::fcntl(static_cast<int>(handle), F_SETFL, O_NONBLOCK) == 0);
}

void let_kernel_answer() {
    if (detail::submission_batch* const batch = backend::current()->optional().batch)
        batch->flush();
}

bool sockets_can_move() {
    return true;
}

void let_broken_pipes_kill() {
    std::signal(SIGPIPE, SIG_DFL);
}

} // namespace coracle::test
