// SPDX-License-Identifier: MIT
//
// rio_memory: the buffers that registered I/O moves bytes through, and their registrations.
//
// Pools are added as they are needed and stay. A registration goes with its pool, before the memory
// does. Private.
#pragma once

#include "../buffer_pool.hpp"
#include "../buffer_registrar.hpp"
#include "rio_api.hpp"
#include <deque>

namespace coracle::rio {

/// Knows regions by RIORegisterBuffer, until RIODeregisterBuffer.
class registrar final : public buffer_registrar {
public:
    explicit registrar(const functions& by) noexcept : functions_(&by) {}

    [[nodiscard]] bool useful() const noexcept override { return false; }

private:
    [[nodiscard]] std::optional<std::uint64_t> add(std::span<std::byte> region) override;
    void remove(std::uint64_t id) noexcept override;

    const functions* functions_;
};

/// One buffer, and under what the system knows it; or none.
struct registered_buffer {
    buffer_lease bytes;
    buffer_id id = no_buffer;

    /// Its first `size` bytes.
    [[nodiscard]] slice first(std::size_t size) const noexcept {
        return {id, static_cast<ULONG>(bytes.offset()), static_cast<ULONG>(size)};
    }
};

class memory {
public:
    static constexpr std::size_t registered_buffer_bytes = std::size_t{16} << 10;

    explicit memory(const functions& by) noexcept : functions_(by), registrar_(functions_) {}

    /// From a new pool if need be. None if there is no memory, or if the system registers no more.
    [[nodiscard]] registered_buffer take() noexcept;

private:
    static constexpr std::size_t buffers_of_a_pool = 64;

    struct registered_pool {
        buffer_pool pool{buffers_of_a_pool, registered_buffer_bytes};
        buffer_registration known; // goes first
    };

    [[nodiscard]] static registered_buffer take_from(registered_pool& from) noexcept;

    functions functions_;
    registrar registrar_;
    std::deque<registered_pool> pools_; // where they are, they stay
};

} // namespace coracle::rio
