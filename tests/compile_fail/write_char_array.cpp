// SPDX-License-Identifier: MIT
// expect: write_literal_sv_or_span_of_array
#include <coracle/io/stream.hpp>
#include <span>

coracle::task<> greet(coracle::stream& peer) {
    char text[8] = "hello";
#ifdef FIXED
    co_await peer.write(std::span(text));
#else
    co_await peer.write(text);
#endif
}
