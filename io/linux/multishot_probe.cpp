// SPDX-License-Identifier: MIT
#include "multishot_probe.hpp"

#include "../posix/readiness.hpp"
#include "provided_buffers.hpp"
#include <array>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <sys/socket.h>

namespace coracle::uring {

using namespace std::chrono_literals;

/// A multishot receive that waits is woken by a byte and the end of the stream together. Both have
/// come before the kernel is entered, so that there is nothing to wait for.
multishot_support probe_multishot_receive(ring& on, std::string& reason) {
    std::array<int, 2> ends = {};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
        reason = std::strerror(errno);
        return multishot_support::unknown;
    }
    const detail::owned_handle here(ends[0]);
    const detail::owned_handle there(ends[1]);
    constexpr std::uint16_t count = 2;
    std::array<std::byte, count> buffers = {};
    provided_ring lent; // ends before the buffers do: then the kernel does not write to them
    const int refused = lent.open(on, count, 0);
    if (refused != 0) {
        reason = std::strerror(-refused);
        return refused == -EINVAL ? multishot_support::missing : multishot_support::unknown;
    }
    for (std::uint16_t i = 0; i < count; ++i)
        lent.add(&buffers[i], 1, i);
    lent.publish();
    io_uring_sqe& receive = *on.request();
    prepare_multishot_receive(receive, here.get(), 0);
    io_uring_sqe_set_data64(&receive, 0); // should it outlive this, nobody is told
    bool came = false;
    bool ended = false;
    for (int entry = 0; entry < 4 && !ended; ++entry) {
        if (const int failure = on.enter(0, 0s); failure != 0) {
            reason = fmt::format("io_uring_enter failed: {}", std::strerror(-failure));
            return multishot_support::no_ring;
        }
        on.collect([&](std::uint64_t, int answer, unsigned flags) {
            came = came || (answer == 1 && (flags & IORING_CQE_F_MORE));
            ended = ended || answer <= 0;
        });
        if (entry == 0 && (::send(there.get(), "x", 1, MSG_NOSIGNAL) != 1 ||
                           ::shutdown(there.get(), SHUT_WR) != 0)) {
            reason = std::strerror(errno);
            return multishot_support::unknown;
        }
    }
    if (came && ended)
        return multishot_support::works;
    reason = "this kernel misses the end of a stream";
    return multishot_support::missing;
}

} // namespace coracle::uring
