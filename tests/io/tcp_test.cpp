// SPDX-License-Identifier: MIT
//
// Options of TCP sockets and listeners, their addresses, and IPv6.

#include "clean_run.hpp"
#include "connected.hpp"

#include <coracle/coracle.hpp>
#include <string>

using namespace coracle;
using namespace coracle::test;
using namespace std::chrono_literals;
using namespace std::string_view_literals;

namespace {

std::error_code error_of_bind(const address& local, const listen_options& options,
                              std::string& text) {
    try {
        static_cast<void>(tcp_listener::bind(local, options));
    } catch (const std::system_error& error) {
        text = error.what();
        return error.code();
    }
    return {};
}

/// Whether this machine has the IPv6 loopback; says so where it has not.
bool has_v6() {
    std::string text;
    if (!error_of_bind(address::loopback_v6(0), {}, text))
        return true;
    MESSAGE("skipped, because this machine has no IPv6 loopback: " << text);
    return false;
}

/// Linux doubles what is set.
bool is_as_set(int bytes, int set) {
    return bytes == set || bytes == 2 * set;
}

/// Whether the times of keep-alive can be told and chosen here.
bool has_keep_alive_times(tcp_stream& of) {
    try {
        of.set_keep_alive(keep_alive_options());
        of.set_keep_alive(std::nullopt);
    } catch (const std::system_error& error) {
        REQUIRE(error.code() == std::errc::no_protocol_option);
        MESSAGE("skipped, because this system has no such option");
        return false;
    }
    return true;
}

} // namespace

TEST_CASE("tcp: options are set and read back") {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        tcp_stream& stream = ends.here;
        for (const bool on : {true, false}) {
            stream.set_no_delay(on);
            CHECK(stream.no_delay() == on);
        }

        CHECK_FALSE(stream.linger().has_value());
        for (const std::chrono::seconds time : {0s, 9s}) {
            stream.set_linger(time);
            CHECK(stream.linger() == time);
        }
        stream.set_linger(std::nullopt);
        CHECK_FALSE(stream.linger().has_value());

        stream.set_send_buffer_size(20'000);
        CHECK(is_as_set(stream.send_buffer_size(), 20'000));
        stream.set_receive_buffer_size(30'000);
        CHECK(is_as_set(stream.receive_buffer_size(), 30'000));
    });
}

TEST_CASE("tcp: keep-alive is set and read back") {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        tcp_stream& stream = ends.here;
        if (!has_keep_alive_times(stream))
            co_return;
        CHECK_FALSE(stream.keep_alive().has_value());
        keep_alive_options alive;
        alive.idle = 7s;
        alive.interval = 3s;
        alive.probes = 4;
        stream.set_keep_alive(alive);
        REQUIRE(stream.keep_alive().has_value());
        CHECK(stream.keep_alive()->idle == 7s);
        CHECK(stream.keep_alive()->interval == 3s);
        CHECK(stream.keep_alive()->probes == 4);
        stream.set_keep_alive(std::nullopt);
        CHECK_FALSE(stream.keep_alive().has_value());
    });
}

TEST_CASE("tcp: an option that the kernel refuses is an error") {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        if (!has_keep_alive_times(ends.here))
            co_return;
        keep_alive_options wrong;
        wrong.probes = -1;
        std::error_code error;
        try {
            ends.here.set_keep_alive(wrong);
        } catch (const std::system_error& refused) {
            error = refused.code();
        }
        CHECK(error == std::errc::invalid_argument);
    });
}

TEST_CASE("tcp: everything works over IPv6") {
    if (!has_v6())
        return;
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends(address::loopback_v6(0));
        CHECK(ends.here.local_address().is_v6());
        CHECK(ends.here.local_address() == ends.there.peer_address());
        CHECK(ends.here.peer_address() == ends.there.local_address());
        CHECK(ends.here.peer_address().with_port(0) == address::loopback_v6(0));
        co_await ends.here.write("over six"sv);
        const std::string text = co_await read_text(ends.there, 8);
        CHECK(text == "over six");

        tcp_listener listener = tcp_listener::bind(address::loopback_v6(0));
        auto from_local = co_await when_all(
            tcp_stream::connect(listener.local_address(), address::any_v6(0)), listener.accept());
        CHECK(std::get<1>(from_local).is_open());
        const address gone = listener.local_address();
        listener.close();
        const auto refused = co_await as_result(tcp_stream::connect(gone));
        CHECK(refused.error() == std::errc::connection_refused);
    });
}

TEST_CASE("tcp_listener: for IPv6 takes IPv4 as well, unless told not to") {
    if (!has_v6())
        return;
    run_clean([]() -> task<> {
        for (const bool only_v6 : {false, true}) {
            CAPTURE(only_v6);
            listen_options options;
            options.only_v6 = only_v6;
            tcp_listener listener = tcp_listener::bind(address::any_v6(0), options);
            const address by_v4 = address::loopback_v4(listener.local_address().port());
            auto connected = co_await as_result(tcp_stream::connect(by_v4));
            CHECK(connected.has_value() == !only_v6);
            if (connected) {
                tcp_stream peer = co_await listener.accept();
                CHECK(to_string(peer.peer_address()).starts_with("[::ffff:127.0.0.1]:"));
            }
        }
    });
}

TEST_CASE("tcp_listener: a port in use is an error that names the address") {
    run_clean([]() -> task<> {
        tcp_listener first = tcp_listener::bind(address::loopback_v4(0));
        const address taken = first.local_address();
        std::string text;
        CHECK(error_of_bind(taken, {}, text) == std::errc::address_in_use);
        CHECK(text.find(to_string(taken)) != std::string::npos);
        first.close();
        CHECK_FALSE(error_of_bind(taken, {}, text));
        co_return;
    });
}

TEST_CASE("tcp_listener: an address that is not ours is an error that names it") {
    std::string text;
    CHECK(error_of_bind(address::parse("192.0.2.1:0"), {}, text) ==
          std::errc::address_not_available);
    CHECK(text.find("192.0.2.1:0") != std::string::npos);
}

TEST_CASE("tcp_listener: several share a port if all say so") {
    run_clean([]() -> task<> {
        listen_options shared;
        shared.reuse_port = true;
        std::string text;
        if (error_of_bind(address::loopback_v4(0), shared, text) ==
            std::errc::operation_not_supported) {
            MESSAGE("skipped, because this system has no listeners that share a port");
            co_return;
        }
        tcp_listener first = tcp_listener::bind(address::loopback_v4(0), shared);
        tcp_listener second = tcp_listener::bind(first.local_address(), shared);
        CHECK(error_of_bind(first.local_address(), {}, text) == std::errc::address_in_use);
        auto connecting = [&]() -> task<> {
            for (int i = 0; i < 64; ++i)
                tcp_stream peer = co_await tcp_stream::connect(second.local_address());
            co_await iterations();
        };
        std::array<int, 2> accepted = {};
        auto accepting = [&](tcp_listener& from, int& count) -> task<> {
            for (;; ++count)
                tcp_stream peer = co_await from.accept();
        };
        co_await when_any(connecting(), accepting(first, accepted[0]),
                          accepting(second, accepted[1]));
        CHECK(accepted[0] + accepted[1] == 64);
        CHECK(accepted[0] > 0);
        CHECK(accepted[1] > 0);
    });
}

TEST_CASE("tcp_listener: binds again although earlier connections linger") {
    run_clean([]() -> task<> {
        std::optional<tcp_listener> listener = tcp_listener::bind(address::loopback_v4(0));
        const address local = listener->local_address();
        connection ends = co_await connect_to(*listener);
        listener.reset();
        ends.there.close(); // this side closes first, so it keeps the port for a minute
        std::string text(1, '\0');
        const std::size_t end = co_await ends.here.read(text);
        CHECK(end == 0);
        ends.here.close();
        CHECK_FALSE(error_of_bind(local, {}, text));
    });
}

TEST_CASE("tcp_listener: may be bound before there is a context") {
    const possessions before;
    {
        tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
        auto use = [&]() -> task<> {
            connection ends = co_await connect_to(listener);
            CHECK(ends.here.is_open());
        };
        run(use());
    }
    check_unchanged(before);
}
