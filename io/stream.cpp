// SPDX-License-Identifier: MIT
#include "stream.hpp"

namespace coracle {

void stream::shutdown(shutdown_direction direction) {
    const detail::descriptor& open = open_state();
    open.opened_by->shutdown(open.handle, direction);
}

} // namespace coracle
