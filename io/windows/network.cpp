// SPDX-License-Identifier: MIT
//
// The network of Windows.
#include "winsock.hpp"

#include "../../memory/fatal.hpp"
#include <algorithm>
#include <fmt/format.h>
#include <limits>

namespace coracle {

namespace {

[[noreturn]] void fail(const std::string& what) {
    throw std::system_error(windows::last_error(), what);
}

struct option_name {
    int level;
    int name;
};

// Since Windows 10 of 2017, and without a name in older headers.
constexpr int keep_alive_idle = 3;
constexpr int keep_alive_count = 16;
constexpr int keep_alive_interval = 17;

// What SO_REUSEADDR does elsewhere every socket does here; under that name one socket can take
// another's port away. What can be chosen is to be the only one: SO_EXCLUSIVEADDRUSE.

option_name native_option(socket_option option) {
    switch (option) {
    case socket_option::no_delay:
        return {IPPROTO_TCP, TCP_NODELAY};
    case socket_option::keep_alive:
        return {SOL_SOCKET, SO_KEEPALIVE};
    case socket_option::keep_alive_idle_s:
        return {IPPROTO_TCP, keep_alive_idle};
    case socket_option::keep_alive_interval_s:
        return {IPPROTO_TCP, keep_alive_interval};
    case socket_option::keep_alive_count:
        return {IPPROTO_TCP, keep_alive_count};
    case socket_option::linger_s:
        return {SOL_SOCKET, SO_LINGER};
    case socket_option::send_buffer_bytes:
        return {SOL_SOCKET, SO_SNDBUF};
    case socket_option::receive_buffer_bytes:
        return {SOL_SOCKET, SO_RCVBUF};
    case socket_option::reuse_address:
        return {SOL_SOCKET, SO_EXCLUSIVEADDRUSE};
    case socket_option::only_v6:
        return {IPPROTO_IPV6, IPV6_V6ONLY};
    case socket_option::listening:
        return {SOL_SOCKET, SO_ACCEPTCONN};
    case socket_option::reuse_port:
        break;
    }
    throw std::system_error(std::make_error_code(std::errc::operation_not_supported),
                            "Windows has no listeners that share a port");
}

template <class Value>
Value read_option(SOCKET handle, option_name option) {
    Value value = {};
    int size = sizeof value;
    if (::getsockopt(handle, option.level, option.name, reinterpret_cast<char*>(&value), &size) !=
        0)
        fail("cannot read a socket option");
    return value;
}

template <class Value>
void write_option(SOCKET handle, option_name option, const Value& value) {
    if (::setsockopt(handle, option.level, option.name, reinterpret_cast<const char*>(&value),
                     sizeof value) != 0)
        fail("cannot set a socket option");
}

class windows_network final : public network {
public:
    explicit windows_network(DWORD flags) : flags_(flags) { windows::start_winsock(); }

    native_handle open_stream(address::family family) override {
        const int domain = family == address::family::v6 ? AF_INET6 : AF_INET;
        const SOCKET handle = windows::open_stream(domain, flags_);
        if (handle == INVALID_SOCKET)
            fail("cannot open a socket");
        return static_cast<native_handle>(handle);
    }

    void bind(native_handle handle, const address& local) override {
        sockaddr_storage native = {};
        const int size = windows::to_native(local, &native);
        if (::bind(native_of(handle), reinterpret_cast<sockaddr*>(&native), size) != 0)
            fail(fmt::format("cannot bind to {}", to_string(local)));
    }

    void listen(native_handle handle, int backlog) override {
        if (::listen(native_of(handle), backlog) != 0)
            fail("cannot listen");
    }

    void shutdown(native_handle handle, shutdown_direction direction) override {
        const int how = direction == shutdown_direction::read    ? SD_RECEIVE
                        : direction == shutdown_direction::write ? SD_SEND
                                                                 : SD_BOTH;
        if (::shutdown(native_of(handle), how) != 0)
            fail("cannot shut down");
    }

    void set(native_handle handle, socket_option option, int value) override {
        const option_name native_name = native_option(option);
        if (option == socket_option::linger_s) {
            constexpr int longest = std::numeric_limits<u_short>::max();
            linger lingering = {};
            lingering.l_onoff = value >= 0;
            lingering.l_linger = static_cast<u_short>(std::clamp(value, 0, longest));
            write_option(native_of(handle), native_name, lingering);
        } else {
            const int native = option == socket_option::reuse_address ? !value : value;
            write_option(native_of(handle), native_name, native);
        }
    }

    int get(native_handle handle, socket_option option) override {
        const option_name native_name = native_option(option);
        if (option == socket_option::linger_s) {
            const auto lingering = read_option<linger>(native_of(handle), native_name);
            return lingering.l_onoff ? lingering.l_linger : -1;
        }
        const auto value = read_option<int>(native_of(handle), native_name);
        return option == socket_option::reuse_address ? !value : value;
    }

    address local_address(native_handle handle) override {
        sockaddr_storage native = {};
        int size = sizeof native;
        if (::getsockname(native_of(handle), reinterpret_cast<sockaddr*>(&native), &size) != 0)
            fail("cannot tell the local address");
        return windows::from_native(native);
    }

    address peer_address(native_handle handle) override {
        sockaddr_storage native = {};
        int size = sizeof native;
        if (::getpeername(native_of(handle), reinterpret_cast<sockaddr*>(&native), &size) != 0)
            fail("cannot tell the peer's address");
        return windows::from_native(native);
    }

    bool was_reset(native_handle handle) noexcept override {
        // Only a connection that is gone has no peer: after the end of a stream it is still there.
        sockaddr_storage native = {};
        int size = sizeof native;
        return ::getpeername(native_of(handle), reinterpret_cast<sockaddr*>(&native), &size) != 0 &&
               ::WSAGetLastError() == WSAENOTCONN;
    }

    /// Wine does: it takes the error from the kernel when it polls.
    [[nodiscard]] bool hides_resets() const noexcept override { return true; }

    std::error_code set_blocking(native_handle handle, bool blocking) noexcept override {
        u_long non_blocking = blocking ? 0 : 1;
        if (::ioctlsocket(native_of(handle), static_cast<long>(FIONBIO), &non_blocking) != 0)
            return windows::last_error();
        return {};
    }

    void close(native_handle handle) noexcept override { ::closesocket(native_of(handle)); }

private:
    static SOCKET native_of(native_handle handle) noexcept { return static_cast<SOCKET>(handle); }

    DWORD flags_;
};

network& only_network(DWORD flags) noexcept {
    try {
        static windows_network plain(0);
        static windows_network registered(WSA_FLAG_REGISTERED_IO);
        return flags == 0 ? plain : registered;
    } catch (const std::system_error& error) {
        detail::fatal(error.what()); // no program with sockets can go on without
    }
}

} // namespace

network& network::native() noexcept {
    return only_network(0);
}

network& windows::registered_network() noexcept {
    return only_network(WSA_FLAG_REGISTERED_IO);
}

} // namespace coracle
