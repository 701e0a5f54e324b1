// SPDX-License-Identifier: MIT
// expect: temporary whose address is used as value of local variable 'later'
#include <coracle/io/stream.hpp>
#include <string>

coracle::task<> greet(coracle::stream& peer, std::string name) {
#ifdef FIXED
    co_await peer.write("hello " + name);
    auto later = peer.write(name);
#else
    auto later = peer.write("hello " + name); // the text is gone when it is awaited
#endif
    co_await std::move(later);
}
