// SPDX-License-Identifier: MIT
#include "stream.hpp"

#include "backend.hpp"

namespace coracle {

void stream::shutdown(shutdown_direction direction) {
    detail::descriptor& open = open_state();
    if (open.owner && open.owner != backend::current())
        throw std::system_error(make_error_code(error::wrong_loop), "cannot shut down");
    const capabilities known = open.owner ? open.owner->optional() : capabilities();
    if (known.batch)
        known.batch->flush(); // what was written before comes before the end
    open.opened_by->shutdown(open.handle, direction);
    if (known.shutdowns)
        known.shutdowns->on_shutdown(open, direction);
    open.write_ended = open.write_ended || direction != shutdown_direction::read;
}

} // namespace coracle
