// SPDX-License-Identifier: MIT
//
// What tests of sockets begin with: two ends of a connection in one loop, ways to cancel what is
// under way at a chosen moment.
#pragma once

#include "raw_sockets.hpp"

#include <array>
#include <chrono>
#include <coracle/io/context.hpp>
#include <coracle/io/tcp.hpp>
#include <coracle/runtime/sleep.hpp>
#include <coracle/runtime/task_group.hpp>
#include <coracle/runtime/when.hpp>
#include <cstddef>
#include <doctest/doctest.h>
#include <optional>
#include <string>
#include <utility>

namespace coracle::test {

/// Both ends of one connection.
struct connection {
    connection(tcp_stream connected, tcp_stream accepted)
        : here(std::move(connected)), there(std::move(accepted)) {}

    tcp_stream here;
    tcp_stream there;
};

inline task<connection> connect_to(tcp_listener& listener) {
    auto ends = co_await when_all(tcp_stream::connect(listener.local_address()), listener.accept());
    co_return connection(std::move(std::get<0>(ends)), std::move(std::get<1>(ends)));
}

inline task<connection> connect_ends(address local = address::loopback_v4(0)) {
    tcp_listener listener = tcp_listener::bind(local);
    co_return co_await connect_to(listener);
}

/// Lets the loop go round: so what was awaited before is with the kernel, and what the kernel has
/// answered has been resumed.
inline task<> iterations(int count = 4) {
    for (int i = 0; i < count; ++i)
        co_await sleep_for(std::chrono::nanoseconds(0));
}

enum class moment { before_start, while_pending };

/// Runs `work` as a job that is cancelled at that moment, and gives what came of it.
template <class T>
task<result<T>> cancel_at(moment when, task<T> work) {
    std::optional<result<T>> outcome;
    auto watched = [&]() -> task<> { outcome = co_await as_result(std::move(work)); };
    auto body = [&](task_group& group) -> task<> {
        if (when == moment::before_start)
            group.cancel();
        group.start(watched);
        if (when == moment::while_pending) {
            co_await iterations();
            CHECK_FALSE(outcome.has_value());
            group.cancel();
        }
    };
    co_await with_task_group(body);
    co_return std::move(*outcome);
}

template <class Awaitable>
task<result<await_result_t<Awaitable>>> result_of_task(Awaitable awaited) {
    co_return co_await as_result(std::move(awaited));
}

/// Reads as many bytes as `size`, or less at the end of the stream.
inline task<std::string> read_text(stream& from, std::size_t size) {
    std::string text(size, '\0');
    std::size_t filled = 0;
    while (filled < size) {
        const std::size_t count =
            co_await from.read(mutable_buffer(text.data() + filled, size - filled));
        if (count == 0)
            break;
        filled += count;
    }
    text.resize(filled);
    co_return text;
}

/// Closes with a reset instead of an end of stream.
inline void reset(tcp_stream& end) {
    end.set_linger(std::chrono::seconds(0));
    end.close();
}

/// More than the kernel takes from a writer whose peer does not read.
inline constexpr std::size_t too_much = std::size_t{32} << 20;

} // namespace coracle::test
