// SPDX-License-Identifier: MIT

#include "fixed_buffers.hpp"

#include "../../memory/fatal.hpp"
#include "../../runtime/diagnostics/warning.hpp"
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>

namespace coracle::uring {

std::optional<std::uint64_t> fixed_buffers::add(std::span<std::byte> region) {
    int failure = has_table_ ? 0 : ring_->make_buffer_table(slots);
    has_table_ = failure == 0;
    const auto free = std::find(taken_.begin(), taken_.end(), false);
    const auto slot = static_cast<unsigned>(free - taken_.begin());
    if (failure == 0)
        failure = free == taken_.end() ? -ENFILE : ring_->register_buffer(slot, region);
    if (failure == 0) {
        *free = true;
        return slot;
    }
    static std::atomic<bool> said = false; // the next pool will not fare better
    if (!said.exchange(true))
        warning(fmt::format("io_uring: a pool of {} bytes is not registered: {}{}", region.size(),
                            std::strerror(-failure),
                            failure == -ENOMEM
                                ? " (the limit of locked memory, ulimit -l, may be too small)"
                                : ""));
    return std::nullopt;
}

void fixed_buffers::remove(std::uint64_t id) noexcept {
    const auto slot = static_cast<unsigned>(id);
    const int failure = ring_->register_buffer(slot, {});
    if (failure != 0)
        detail::fatal(fmt::format("cannot unregister a buffer: {}", std::strerror(-failure)));
    taken_[slot] = false;
}

} // namespace coracle::uring
