// SPDX-License-Identifier: MIT
//
// readable_stream and writable_stream: what readers and writers of bytes are written against, so
// that they work over a tcp_stream, a layer of TLS and a stream in memory alike. No base class:
// whatever has the function is a stream.
//
// The compiler sees the function and what awaiting it gives. The rest of the contract is for the
// author of a stream to keep. stream::read and stream::write keep it.
#pragma once

#include "../runtime/await_traits.hpp"
#include <concepts>
#include <cstddef>
#include <span>

namespace coracle {

/// `co_await from.read(into)` reads some bytes, whether `read` returns a task, an operation or
/// anything else that can be awaited. It resumes once there is at least one.
///
/// shape    into: 1 byte or more, alive until the read has resumed. Gives std::size_t:
///          1..into.size(); 0 is the end of the stream, and then so is every later read
/// errors   thrown as std::system_error. A read can be cancelled, and then takes no bytes from the
///          stream: the next read gets them
/// owns     the caller has at most one read under way, and destroys the stream after it
template <class Type>
concept readable_stream = requires(Type& from, std::span<std::byte> into) {
    { from.read(into) } -> awaitable;
    requires std::same_as<await_result_t<decltype(from.read(into))>, std::size_t>;
};

/// `co_await to.write(from)` writes all of `from`, whether `write` returns a task, an operation or
/// anything else that can be awaited.
///
/// shape    from: alive until the write has resumed. Gives nothing
/// errors   thrown as std::system_error. A write can be cancelled; if that may have been in its
///          middle, later writes fail, since the peer cannot know what is missing
/// owns     several may be under way: they are written in the order in which they were awaited and
///          do not interleave. One read may be under way besides
template <class Type>
concept writable_stream = requires(Type& to, std::span<const std::byte> from) {
    { to.write(from) } -> awaitable;
    requires std::same_as<await_result_t<decltype(to.write(from))>, void>;
};

} // namespace coracle
