// SPDX-License-Identifier: MIT
//
// address_limit: at most so many sessions from one address.
//
// A session holds a permit, which is returned by its destructor. Addresses are compared as IPv4
// addresses, or by the first 64 bits of an IPv6 address, since one host usually owns a whole /64.
#pragma once

#include <coracle/coracle.hpp>
#include <cstddef>
#include <map>
#include <optional>
#include <utility>

namespace chat {

/// The part of an address that is compared. An IPv4 address in an IPv6 one
/// (::ffff:192.0.2.1) counts as the IPv4 address.
[[nodiscard]] coracle::address compared_part(const coracle::address& peer) noexcept;

class address_limit {
public:
    class permit;

    /// Zero for no limit.
    explicit address_limit(std::size_t max) noexcept : max_(max) {}

    address_limit(const address_limit&) = delete;
    address_limit& operator=(const address_limit&) = delete;

    /// A permit for `peer`; nothing if its address holds as many as it may.
    [[nodiscard]] std::optional<permit> try_acquire(const coracle::address& peer);

private:
    using counts =
        std::map<coracle::address, std::size_t>; // of permits, for each address that holds any

    std::size_t max_;
    counts held_;
};

class address_limit::permit {
public:
    permit(permit&& other) noexcept
        : of_(std::exchange(other.of_, nullptr)), entry_(other.entry_) {}

    permit& operator=(permit&&) = delete;

    ~permit() {
        if (of_ && --entry_->second == 0)
            of_->erase(entry_);
    }

private:
    friend class address_limit;

    permit(counts& of, counts::iterator entry) noexcept : of_(&of), entry_(entry) {
        ++entry_->second;
    }

    counts* of_;
    counts::iterator entry_;
};

} // namespace chat
