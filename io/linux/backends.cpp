// SPDX-License-Identifier: MIT
//
// The backends of Linux, the best first.
#include "../backend.hpp"
#include "epoll.hpp"
#include "uring.hpp"

#include <array>

namespace coracle {

std::span<const detail::backend_kind> detail::backend_kinds() noexcept {
    static constexpr std::array kinds = {
        backend_kind{"io_uring", make_uring},
        backend_kind{"epoll", make_epoll},
    };
    return kinds;
}

} // namespace coracle
