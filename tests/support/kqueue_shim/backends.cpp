// SPDX-License-Identifier: MIT
//
// The backends of Linux, and kqueue on its emulation: in place of io/linux/backends.cpp where
// the tests run all of them.
#include <array>
#include <coracle/io/bsd/kqueue.hpp>
#include <coracle/io/linux/epoll.hpp>
#include <coracle/io/linux/uring.hpp>

namespace coracle {

std::span<const detail::backend_kind> detail::backend_kinds() noexcept {
    static constexpr std::array kinds = {
        backend_kind{"io_uring", make_uring},
        backend_kind{"epoll", make_epoll},
        backend_kind{"kqueue", make_kqueue},
    };
    return kinds;
}

} // namespace coracle
