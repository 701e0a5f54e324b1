// SPDX-License-Identifier: MIT
//
// The backends of macOS and FreeBSD.
#include "../backend.hpp"
#include "kqueue.hpp"

#include <array>

namespace coracle {

std::span<const detail::backend_kind> detail::backend_kinds() noexcept {
    static constexpr std::array kinds = {backend_kind{"kqueue", make_kqueue}};
    return kinds;
}

} // namespace coracle
