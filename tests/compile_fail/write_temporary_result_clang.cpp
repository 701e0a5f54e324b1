// SPDX-License-Identifier: MIT
// expect: temporary whose address is used as value of local variable 'later'
#include <coracle/io/stream.hpp>
#include <coracle/runtime/awaitable.hpp>
#include <string>
#include <string_view>

coracle::task<> greet(coracle::stream& peer, std::string name) {
#ifdef FIXED
    const std::string_view view = name;
    auto later = as_result(peer.write(view.substr(1)));
#else
    auto later = as_result(peer.write("hello " + name));
#endif
    static_cast<void>(co_await std::move(later));
}
