// SPDX-License-Identifier: MIT
#include "rio_memory.hpp"

#include <utility>

namespace coracle::rio {

std::optional<std::uint64_t> registrar::add(std::span<std::byte> region) {
    const buffer_id known = functions_->register_buffer(reinterpret_cast<char*>(region.data()),
                                                        static_cast<DWORD>(region.size()));
    if (known == no_buffer)
        return std::nullopt;
    return reinterpret_cast<std::uint64_t>(known);
}

void registrar::remove(std::uint64_t id) noexcept {
    functions_->deregister_buffer(reinterpret_cast<buffer_id>(id));
}

registered_buffer memory::take_from(registered_pool& from) noexcept {
    // The lease is the backend's, so no job must be named as its owner.
    detail::job_name* const running = std::exchange(detail::this_thread.running_job, nullptr);
    registered_buffer taken{from.pool.try_lease(), reinterpret_cast<buffer_id>(from.known.id())};
    detail::this_thread.running_job = running;
    return taken;
}

registered_buffer memory::take() noexcept {
    for (registered_pool& each : pools_) {
        if (each.pool.available() > 0)
            return take_from(each);
    }
    try {
        registered_pool& added = pools_.emplace_back();
        added.known.add(registrar_, added.pool.region());
        if (added.known)
            return take_from(added);
        pools_.pop_back();
    } catch (const std::exception&) { // no memory for it
    }
    return {};
}

} // namespace coracle::rio
