// SPDX-License-Identifier: MIT
#include "stream.hpp"

#include "backend.hpp"

namespace coracle {

void stream::shutdown(shutdown_direction direction) {
    detail::descriptor& open = open_state();
    if (open.owner && open.owner != backend::current())
        throw std::system_error(make_error_code(error::wrong_loop), "cannot shut down");
    if (open.owner)
        open.owner->flush(); // what was written before comes before the end
    open.opened_by->shutdown(open.handle, direction);
    if (open.owner)
        open.owner->was_shut_down(open, direction);
    open.write_ended = open.write_ended || direction != shutdown_direction::read;
}

} // namespace coracle
