// SPDX-License-Identifier: MIT
#include "address_limit.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace chat {

namespace {

constexpr std::size_t prefix_bytes = 8; // of an IPv6 address

constexpr std::array<std::uint8_t, 12> v4_mapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

} // namespace

coracle::address compared_part(const coracle::address& peer) noexcept {
    if (!peer.is_v6())
        return peer.with_port(0);
    const std::array<std::uint8_t, 16>& whole = peer.bytes();
    if (std::equal(v4_mapped.begin(), v4_mapped.end(), whole.begin()))
        return {std::array<std::uint8_t, 4>{whole[12], whole[13], whole[14], whole[15]}, 0};
    std::array<std::uint8_t, 16> prefix{};
    std::copy_n(whole.begin(), prefix_bytes, prefix.begin());
    return {prefix, 0};
}

std::optional<address_limit::permit> address_limit::try_acquire(const coracle::address& peer) {
    const auto entry = held_.try_emplace(compared_part(peer), 0).first;
    if (max_ != 0 && entry->second >= max_)
        return std::nullopt;
    return permit(held_, entry);
}

} // namespace chat
