// SPDX-License-Identifier: MIT
//
// The listening socket of the hand-written servers, so that they differ in their loops only.
#pragma once

#include "program.hpp"

#include <cerrno>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace benchmark {

/// Listens on the loopback address and announces the port; 0 lets the kernel choose.
inline int listen_on_loopback(unsigned port) {
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener < 0)
        fail("socket", errno);
    const int on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    // Accepted sockets inherit it. Without it a message longer than one read waits for the peer's
    // delayed acknowledgement.
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        fail("bind", errno);
    if (listen(listener, 1024) != 0)
        fail("listen", errno);
    socklen_t size = sizeof address;
    if (getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0)
        fail("getsockname", errno);
    announce_port(ntohs(address.sin_port));
    return listener;
}

} // namespace benchmark
