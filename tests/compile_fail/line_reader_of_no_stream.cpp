// SPDX-License-Identifier: MIT
// expect: readable_stream
#include <coracle/io/line_reader.hpp>
#include <coracle/io/tcp.hpp>

#ifdef FIXED
using source = coracle::tcp_stream;
#else
using source = coracle::tcp_listener;
#endif

void take(source& from) {
    coracle::line_reader lines(from);
}
