// SPDX-License-Identifier: MIT
//
// Idle clients for the echo servers: each connects, has one message echoed, and stays. They come in
// two groups: `--first` of them, so that the server has made what it makes only once; then
// `--connections` more. After each group a line says so, and the next line or the end of the
// standard input lets it go on; in between run.sh reads what the server uses.
#include "program.hpp"

#include <array>
#include <cerrno>
#include <cstddef>

#include <netinet/in.h>
#include <sys/socket.h>

namespace {

using benchmark::fail;

int connect_to(unsigned port) {
    const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client < 0)
        fail("socket", errno);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        fail("connect", errno);
    return client;
}

/// What a server keeps only for connections that have been used is there afterwards.
void talk(int client) {
    std::array<std::byte, 64> message{};
    if (send(client, message.data(), message.size(), MSG_NOSIGNAL) < 0)
        fail("send", errno);
    if (recv(client, message.data(), message.size(), MSG_WAITALL) <= 0)
        fail("recv", errno);
}

/// The descriptors are open until the program ends.
void open_group(unsigned port, unsigned count) {
    for (unsigned i = 0; i < count; ++i)
        talk(connect_to(port));
    std::printf("idle=%u\n", count);
    std::fflush(stdout);
    while (true) {
        const int read = std::getchar();
        if (read == '\n' || read == EOF)
            return;
    }
}

} // namespace

int main(int count, char** values) {
    benchmark::command_line arguments(count, values);
    const unsigned port = arguments.take_number("--port", 0);
    const unsigned first = arguments.take_number("--first", 1000);
    const unsigned connections = arguments.take_number("--connections", 10000);
    arguments.finish();
    alarm(120);
    benchmark::raise_descriptor_limit();
    benchmark::require_descriptors(std::uint64_t{first} + connections);
    open_group(port, first);
    open_group(port, connections);
}
