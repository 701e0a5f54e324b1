// SPDX-License-Identifier: MIT
// expect: write_literal_sv_or_span_of_array
#include <coracle/io/stream.hpp>
#include <string_view>

using namespace std::string_view_literals;

coracle::task<> greet(coracle::stream& peer) {
#ifdef FIXED
    co_await peer.write("hello"sv);
#else
    co_await peer.write("hello"); // whether with its terminator, nobody can tell
#endif
}
