// SPDX-License-Identifier: MIT
#include "world.hpp"

#include "connected.hpp"
#include "raw_sockets.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

namespace coracle::fuzz {

void fail(std::string_view what) {
    std::fprintf(stderr, "fuzz: %.*s\n", static_cast<int>(what.size()), what.data());
    std::abort();
}

void require_value(std::span<const std::byte> bytes, std::byte value) {
    const bool holds =
        std::all_of(bytes.begin(), bytes.end(), [value](std::byte each) { return each == value; });
    require(holds, "bytes that the peer never wrote were read");
}

task<link> make_link(random& choose) {
    if (!choose.one_in(4)) {
        const auto [one, other] = test::raw_pair();
        tcp_stream here = tcp_stream::adopt(one);
        co_return link(std::move(here), tcp_stream::adopt(other));
    }
    test::connection made = co_await test::connect_ends();
    if (!choose.one_in(4)) {
        for (tcp_stream* const end : {&made.here, &made.there})
            end->set_linger(std::chrono::seconds(0)); // no port waits for late segments
    }
    co_return link(std::move(made.here), std::move(made.there));
}

world::world(random& choose)
    : pool(choose.between(1, 9), std::size_t{64} << choose.below(7)),
      listener(tcp_listener::bind(address::loopback_v4(0))), steps_left(200) {}

task<> world::fill(random& choose) {
    const std::size_t count = choose.between(1, 4);
    for (std::size_t i = 0; i < count; ++i) {
        link fresh = co_await make_link(choose);
        links_.push_back(with_values(std::move(fresh)));
    }
}

void world::replace(std::size_t index, link fresh) {
    links_[index] = with_values(std::move(fresh));
}

link world::with_values(link fresh) noexcept {
    for (std::byte& value : fresh.written)
        value = static_cast<std::byte>(1 + next_value_++ % 255);
    return fresh;
}

} // namespace coracle::fuzz
