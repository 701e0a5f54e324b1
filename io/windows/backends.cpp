// SPDX-License-Identifier: MIT
//
// The backends of Windows, the best first.
#include "../backend.hpp"
#include "iocp.hpp"
#include "rio.hpp"

#include <array>

namespace coracle {

std::span<const detail::backend_kind> detail::backend_kinds() noexcept {
    static constexpr std::array kinds = {
        backend_kind{"rio", make_rio},
        backend_kind{"iocp", make_iocp},
    };
    return kinds;
}

} // namespace coracle
