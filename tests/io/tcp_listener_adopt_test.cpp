// SPDX-License-Identifier: MIT
//
// Listeners that somebody else has bound, and what is refused as one.

#include "clean_run.hpp"
#include "connected.hpp"

#include <coracle/coracle.hpp>
#include <fmt/format.h>
#include <optional>
#include <string>
#include <system_error>

using namespace coracle;
using namespace coracle::test;

namespace {

/// What adopting it as a listener is refused with.
std::optional<std::system_error> refusal(native_handle handle) {
    try {
        static_cast<void>(tcp_listener::adopt(handle).release());
    } catch (const std::system_error& refused) {
        const std::string text = refused.what();
        CHECK(text.starts_with(fmt::format("cannot adopt descriptor {} as a listener", handle)));
        return refused;
    }
    return std::nullopt;
}

} // namespace

TEST_CASE("tcp_listener: adopted, it accepts, one by one and many") {
    run_clean([]() -> task<> {
        tcp_listener bound = tcp_listener::bind(address::loopback_v4(0));
        const address local = bound.local_address();
        tcp_listener listener = tcp_listener::adopt(bound.release());
        CHECK_FALSE(bound.is_open());
        CHECK(listener.local_address() == local);
        const connection first = co_await connect_to(listener);
        CHECK(first.there.is_open());
        multishot_accept incoming = listener.accept_many();
        for (int i = 0; i < 3; ++i) {
            auto ends = co_await when_all(tcp_stream::connect(local), incoming.next());
            CHECK(std::get<1>(ends).peer_address() == std::get<0>(ends).local_address());
        }
    });
}

TEST_CASE("tcp_listener: what does not listen is not adopted, and stays the caller's") {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        const native_handle fresh = network::native().open_stream(address::family::v4);
        for (const native_handle handle : {ends.here.handle(), fresh}) {
            const auto refused = refusal(handle);
            REQUIRE(refused);
            CHECK(refused->code() == std::errc::invalid_argument);
            CHECK(std::string(refused->what()).find("does not listen") != std::string::npos);
        }
        close_raw(fresh); // which fails if it was closed
        const auto closed = refusal(no_handle);
        CHECK(closed);
    });
}
