// SPDX-License-Identifier: MIT
//
// The network of POSIX systems.
#include "../network.hpp"
#include "calls.hpp"
#include "differences.hpp"
#include <cerrno>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <unistd.h>

namespace coracle {

namespace {

[[noreturn]] void fail(const std::string& what) {
    throw std::system_error(posix::last_error(), what);
}

struct option_name {
    int level;
    int name;
};

option_name native_option(socket_option option) noexcept {
    switch (option) {
    case socket_option::no_delay:
        return {IPPROTO_TCP, TCP_NODELAY};
    case socket_option::keep_alive:
        return {SOL_SOCKET, SO_KEEPALIVE};
    case socket_option::keep_alive_idle_s:
        return {IPPROTO_TCP, posix::keep_alive_idle_option};
    case socket_option::keep_alive_interval_s:
        return {IPPROTO_TCP, TCP_KEEPINTVL};
    case socket_option::keep_alive_count:
        return {IPPROTO_TCP, TCP_KEEPCNT};
    case socket_option::linger_s:
        return {SOL_SOCKET, SO_LINGER};
    case socket_option::send_buffer_bytes:
        return {SOL_SOCKET, SO_SNDBUF};
    case socket_option::receive_buffer_bytes:
        return {SOL_SOCKET, SO_RCVBUF};
    case socket_option::reuse_address:
        return {SOL_SOCKET, SO_REUSEADDR};
    case socket_option::reuse_port:
        return {SOL_SOCKET, SO_REUSEPORT};
    case socket_option::only_v6:
        return {IPPROTO_IPV6, IPV6_V6ONLY};
    case socket_option::listening:
        return {SOL_SOCKET, SO_ACCEPTCONN};
    }
    return {-1, -1};
}

class posix_network final : public network {
public:
    native_handle open_stream(address::family family) override {
        const int domain = family == address::family::v6 ? AF_INET6 : AF_INET;
        const int handle = ::socket(domain, SOCK_STREAM | posix::close_on_exec, 0);
        if (handle < 0)
            fail("cannot open a socket");
        posix::finish_opening(handle);
        return handle;
    }

    void bind(native_handle handle, const address& local) override {
        sockaddr_storage native = {};
        const socklen_t size = posix::to_native(local, &native);
        if (::bind(native_of(handle), reinterpret_cast<sockaddr*>(&native), size) != 0)
            fail(fmt::format("cannot bind to {}", to_string(local)));
    }

    void listen(native_handle handle, int backlog) override {
        if (::listen(native_of(handle), backlog) != 0)
            fail("cannot listen");
    }

    void shutdown(native_handle handle, shutdown_direction direction) override {
        const int how = direction == shutdown_direction::read    ? SHUT_RD
                        : direction == shutdown_direction::write ? SHUT_WR
                                                                 : SHUT_RDWR;
        if (::shutdown(native_of(handle), how) != 0)
            fail("cannot shut down");
    }

    void set(native_handle handle, socket_option option, int value) override {
        const auto [level, name] = native_option(option);
        const linger lingering = {value >= 0, value >= 0 ? value : 0};
        const bool lingers = option == socket_option::linger_s;
        const void* const data = lingers ? static_cast<const void*>(&lingering) : &value;
        const socklen_t size = lingers ? sizeof lingering : sizeof value;
        if (::setsockopt(native_of(handle), level, name, data, size) != 0)
            fail("cannot set a socket option");
    }

    int get(native_handle handle, socket_option option) override {
        const auto [level, name] = native_option(option);
        if (option == socket_option::linger_s) {
            linger lingering = {};
            socklen_t size = sizeof lingering;
            if (::getsockopt(native_of(handle), level, name, &lingering, &size) != 0)
                fail("cannot read a socket option");
            return lingering.l_onoff ? lingering.l_linger : -1;
        }
        int value = 0;
        socklen_t size = sizeof value;
        if (::getsockopt(native_of(handle), level, name, &value, &size) != 0)
            fail("cannot read a socket option");
        return value;
    }

    address local_address(native_handle handle) override {
        sockaddr_storage native = {};
        socklen_t size = sizeof native;
        if (::getsockname(native_of(handle), reinterpret_cast<sockaddr*>(&native), &size) != 0)
            fail("cannot tell the local address");
        return posix::from_native(native);
    }

    address peer_address(native_handle handle) override {
        sockaddr_storage native = {};
        socklen_t size = sizeof native;
        if (::getpeername(native_of(handle), reinterpret_cast<sockaddr*>(&native), &size) != 0)
            fail("cannot tell the peer's address");
        return posix::from_native(native);
    }

    bool was_reset(native_handle handle) noexcept override {
        return posix::connection_is_over(native_of(handle));
    }

    std::error_code set_blocking(native_handle handle, bool blocking) noexcept override {
        return posix::set_blocking(native_of(handle), blocking);
    }

    void close(native_handle handle) noexcept override {
        // Not tried again on EINTR: Linux has closed it then, and another thread may own the
        // number.
        ::close(native_of(handle));
    }

private:
    static int native_of(native_handle handle) noexcept { return static_cast<int>(handle); }
};

} // namespace

network& network::native() noexcept {
    static posix_network instance;
    return instance;
}

} // namespace coracle
