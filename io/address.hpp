// SPDX-License-Identifier: MIT
//
// address: an IPv4 or IPv6 address and a port. A value, independent of any platform's structures.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace coracle {

class address {
public:
    enum class family : std::uint8_t { v4, v6 };

    /// 0.0.0.0:0
    constexpr address() noexcept = default;

    /// From bytes in network order.
    constexpr address(const std::array<std::uint8_t, 4>& bytes, std::uint16_t port) noexcept
        : bytes_{bytes[0], bytes[1], bytes[2], bytes[3]}, port_(port) {}

    constexpr address(const std::array<std::uint8_t, 16>& bytes, std::uint16_t port,
                      std::uint32_t scope = 0) noexcept
        : family_(family::v6), bytes_(bytes), scope_(scope), port_(port) {}

    [[nodiscard]] static constexpr address any_v4(std::uint16_t port) noexcept {
        return {std::array<std::uint8_t, 4>{}, port};
    }

    [[nodiscard]] static constexpr address any_v6(std::uint16_t port) noexcept {
        return {std::array<std::uint8_t, 16>{}, port};
    }

    [[nodiscard]] static constexpr address loopback_v4(std::uint16_t port) noexcept {
        return {std::array<std::uint8_t, 4>{127, 0, 0, 1}, port};
    }

    [[nodiscard]] static constexpr address loopback_v6(std::uint16_t port) noexcept {
        return {std::array<std::uint8_t, 16>{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, port};
    }

    /// Reads "127.0.0.1:80" or "[::1]:80" or "[fe80::1%2]:80". No names: that is resolving.
    ///
    /// errors   std::invalid_argument, whose text names `text` and what is wrong with it
    [[nodiscard]] static address parse(std::string_view text);

    /// Reads an address without a port: "127.0.0.1", "::1", "fe80::1%2".
    [[nodiscard]] static address parse(std::string_view host, std::uint16_t port);

    [[nodiscard]] constexpr family kind() const noexcept { return family_; }

    [[nodiscard]] constexpr bool is_v6() const noexcept { return family_ == family::v6; }

    [[nodiscard]] constexpr std::uint16_t port() const noexcept { return port_; }

    /// The interface of a link-local IPv6 address, by number; 0 for none.
    [[nodiscard]] constexpr std::uint32_t scope() const noexcept { return scope_; }

    /// In network order; an IPv4 address is in the first four.
    [[nodiscard]] constexpr const std::array<std::uint8_t, 16>& bytes() const noexcept {
        return bytes_;
    }

    [[nodiscard]] constexpr address with_port(std::uint16_t port) const noexcept {
        address other = *this;
        other.port_ = port;
        return other;
    }

    friend constexpr bool operator==(const address&, const address&) noexcept = default;
    friend constexpr auto operator<=>(const address&, const address&) noexcept = default;

private:
    family family_ = family::v4;
    std::array<std::uint8_t, 16> bytes_ = {};
    std::uint32_t scope_ = 0;
    std::uint16_t port_ = 0;
};

/// "127.0.0.1:80", "[::1]:80": what `address::parse` reads.
[[nodiscard]] std::string to_string(const address& value);

} // namespace coracle
