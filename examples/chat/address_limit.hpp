// SPDX-License-Identifier: MIT
//
// address_limit: how many sessions may come from one address.
//
// A place is taken for as long as its object lives. What counts as one address is an IPv4 address,
// or the first 64 bits of an IPv6 address: one host usually has all that begin with the same.
#pragma once

#include <coracle/coracle.hpp>
#include <cstddef>
#include <map>
#include <optional>
#include <utility>

namespace chat {

/// The part of a peer's address that the limit is for. An IPv4 address in an IPv6 one
/// (::ffff:192.0.2.1) counts as the IPv4 address.
[[nodiscard]] coracle::address limited_part(const coracle::address& peer) noexcept;

class address_limit {
public:
    class place;

    /// Zero for no limit.
    explicit address_limit(std::size_t max) noexcept : max_(max) {}

    address_limit(const address_limit&) = delete;
    address_limit& operator=(const address_limit&) = delete;

    /// A place for `peer`; nothing if its address has all that it may have.
    [[nodiscard]] std::optional<place> take(const coracle::address& peer);

private:
    using counts = std::map<coracle::address, std::size_t>; // addresses with one place or more

    std::size_t max_;
    counts taken_;
};

class address_limit::place {
public:
    place(place&& other) noexcept : of_(std::exchange(other.of_, nullptr)), entry_(other.entry_) {}

    place& operator=(place&&) = delete;

    ~place() {
        if (of_ && --entry_->second == 0)
            of_->erase(entry_);
    }

private:
    friend class address_limit;

    place(counts& of, counts::iterator entry) noexcept : of_(&of), entry_(entry) {
        ++entry_->second;
    }

    counts* of_;
    counts::iterator entry_;
};

} // namespace chat
