// SPDX-License-Identifier: MIT
// expect: write_string_view_of_pointer
#include <coracle/io/stream.hpp>
#include <string>
#include <string_view>

coracle::task<> greet(coracle::stream& peer, std::string name) {
#ifdef FIXED
    co_await peer.write(std::string_view(name.c_str()));
#else
    co_await peer.write(name.c_str());
#endif
}
