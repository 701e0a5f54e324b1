// SPDX-License-Identifier: MIT
//
// Conformance of multishot accept: what a listener promises of accept it promises of accept_many
// too, and nothing that has come is lost when that goes.

#include "clean_run.hpp"
#include "connected.hpp"

#include <coracle/coracle.hpp>
#include <set>
#include <string>
#include <vector>

using namespace coracle;
using namespace coracle::test;
using namespace std::chrono_literals;
using namespace std::string_view_literals;

namespace {

/// Connections that their listener has not been asked for: more than a multishot keeps.
class crowd {
public:
    explicit crowd(const tcp_listener& listener, std::size_t count = 150) {
        for (std::size_t i = 0; i < count; ++i) {
            const native_handle handle = connect_raw(listener.local_address());
            REQUIRE(handle != no_handle);
            streams.push_back(tcp_stream::adopt(handle));
            addresses.insert(to_string(streams.back().local_address()));
        }
    }

    std::vector<tcp_stream> streams;
    std::set<std::string> addresses;
};

tcp_listener listen() {
    return tcp_listener::bind(address::loopback_v4(0));
}

} // namespace

TEST_CASE("accept_many: gives each connection once") {
    run_clean([]() -> task<> {
        tcp_listener listener = listen();
        multishot_accept incoming = listener.accept_many();
        for (int round = 0; round < 2; ++round) {
            crowd peers(listener);
            co_await iterations();
            std::set<std::string> seen;
            for (std::size_t i = 0; i < peers.streams.size(); ++i) {
                tcp_stream taken = co_await incoming.next();
                seen.insert(to_string(taken.peer_address()));
            }
            CHECK(seen == peers.addresses);
        }
    });
}

TEST_CASE("accept_many: gives two ends of one connection") {
    run_clean([]() -> task<> {
        tcp_listener listener = listen();
        multishot_accept incoming = listener.accept_many();
        auto ends =
            co_await when_all(tcp_stream::connect(listener.local_address()), incoming.next());
        co_await std::get<0>(ends).write("ping"sv);
        const std::string text = co_await read_text(std::get<1>(ends), 4);
        CHECK(text == "ping");
    });
}

TEST_CASE("accept_many: several wait, and each gets one") {
    run_clean([]() -> task<> {
        tcp_listener listener = listen();
        multishot_accept incoming = listener.accept_many();
        std::set<std::string> seen;
        auto taking = [&]() -> task<> {
            tcp_stream taken = co_await incoming.next();
            seen.insert(to_string(taken.peer_address()));
        };
        auto body = [&](task_group& group) -> task<> {
            for (int i = 0; i < 10; ++i)
                group.start(taking);
            co_await iterations();
            crowd peers(listener, 10);
            co_await group.wait_for_others();
            CHECK(seen == peers.addresses);
        };
        co_await with_task_group(body);
    });
}

TEST_CASE("accept_many: what nobody took stays with the listener") {
    run_clean([]() -> task<> {
        tcp_listener listener = listen();
        std::set<std::string> seen;
        auto note = [&seen](tcp_stream taken) { seen.insert(to_string(taken.peer_address())); };
        auto first = co_await when_all(tcp_stream::connect(listener.local_address()),
                                       listener.accept_many().next());
        crowd peers(listener);
        {
            multishot_accept incoming = listener.accept_many();
            for (int i = 0; i < 10; ++i)
                note(co_await incoming.next());
            co_await iterations();
        }
        for (int i = 0; i < 10; ++i)
            note(co_await listener.accept());
        multishot_accept again = listener.accept_many();
        for (std::size_t i = 20; i < peers.streams.size(); ++i)
            note(co_await again.next());
        CHECK(seen == peers.addresses);
    });
}

TEST_CASE("accept_many: a plain accept takes its turn beside it") {
    run_clean([]() -> task<> {
        tcp_listener listener = listen();
        multishot_accept incoming = listener.accept_many();
        auto both = [&]() -> task<> { co_await when_all(incoming.next(), listener.accept()); };
        auto late = [&]() -> task<> {
            co_await iterations();
            crowd peers(listener, 2);
        };
        co_await when_all(both(), late());
    });
}

TEST_CASE("accept_many: the object may go while somebody waits") {
    run_clean([]() -> task<> {
        tcp_listener listener = listen();
        auto waiting = [&]() -> task<std::string> {
            tcp_stream taken = co_await listener.accept_many().next();
            co_return to_string(taken.peer_address());
        };
        auto late = [&]() -> task<std::string> {
            co_await iterations();
            tcp_stream peer = co_await tcp_stream::connect(listener.local_address());
            co_return to_string(peer.local_address());
        };
        auto both = co_await when_all(waiting(), late());
        CHECK(std::get<0>(both) == std::get<1>(both));
    });
}

TEST_CASE("accept_many: cancelled before its start it takes no connection") {
    run_clean([]() -> task<> {
        tcp_listener listener = listen();
        multishot_accept incoming = listener.accept_many();
        crowd peer(listener, 1);
        const auto accepted = co_await cancel_at(moment::before_start, incoming.next());
        CHECK(accepted.error() == std::errc::operation_canceled);
        tcp_stream taken = co_await incoming.next();
        CHECK(to_string(taken.peer_address()) == *peer.addresses.begin());
    });
}

TEST_CASE("accept_many: cancelled while pending, and it goes on") {
    run_clean([]() -> task<> {
        tcp_listener listener = listen();
        multishot_accept incoming = listener.accept_many();
        for (int i = 0; i < 3; ++i) {
            const auto accepted = co_await cancel_at(moment::while_pending, incoming.next());
            CHECK(accepted.error() == std::errc::operation_canceled);
        }
        crowd peer(listener, 1);
        tcp_stream taken = co_await incoming.next();
        CHECK(to_string(taken.peer_address()) == *peer.addresses.begin());
    });
}

TEST_CASE("accept_many: cancelled when a connection is there, it is delivered or stays") {
    run_clean([]() -> task<> {
        tcp_listener listener = listen();
        multishot_accept incoming = listener.accept_many();
        for (int i = 0; i < 20; ++i) {
            std::optional<result<tcp_stream>> accepted;
            auto accepting = [&]() -> task<> { accepted = co_await as_result(incoming.next()); };
            std::optional<crowd> peer;
            auto body = [&](task_group& group) -> task<> {
                group.start(accepting);
                co_await iterations(i % 4);
                peer.emplace(listener, 1);
                group.cancel();
            };
            co_await with_task_group(body);
            if (!*accepted) {
                CHECK(accepted->error() == std::errc::operation_canceled);
                accepted = co_await incoming.next();
            }
            CHECK(to_string((**accepted).peer_address()) == *peer->addresses.begin());
        }
    });
}

TEST_CASE("accept_many: closing the listener ends the wait, and what has come") {
    run_clean([]() -> task<> {
        for (const bool crowded : {false, true}) {
            CAPTURE(crowded);
            tcp_listener listener = listen();
            multishot_accept incoming = listener.accept_many();
            std::optional<crowd> peers;
            auto closing = [&]() -> task<> {
                co_await iterations();
                if (crowded) {
                    peers.emplace(listener);
                    co_await iterations();
                }
                listener.close();
            };
            auto both = co_await when_all(result_of_task(incoming.next()), closing());
            CHECK(std::get<0>(both).has_value() == crowded);
            const auto after = co_await as_result(incoming.next());
            CHECK(after.error() == std::errc::bad_file_descriptor);
            // Taken or not, the listener's side is closed: with a reset or without.
            std::get<0>(both) = after.error();
            for (std::size_t i = 0; crowded && i < peers->streams.size(); ++i) {
                char byte = 0;
                const auto count =
                    co_await as_result(peers->streams[i].read(mutable_buffer(&byte, 1)));
                CHECK((!count || *count == 0));
            }
        }
    });
}

TEST_CASE("accept_many: a second one of the same listener is refused while the first is there") {
    run_clean([]() -> task<> {
        tcp_listener listener = listen();
        std::error_code refused;
        {
            multishot_accept first = listener.accept_many();
            try {
                multishot_accept second = listener.accept_many();
            } catch (const std::system_error& error) {
                refused = error.code();
            }
            multishot_accept moved = std::move(first);
        }
        CHECK(refused == error::accept_under_way);
        CHECK(refused == std::errc::device_or_resource_busy);
        CHECK(refused.message() == "another accept_many is under way");
        multishot_accept again = listener.accept_many();
        crowd peer(listener, 1);
        tcp_stream taken = co_await again.next();
        CHECK(taken.is_open());
    });
}

TEST_CASE("accept_many: of a closed listener is refused") {
    run_clean([]() -> task<> {
        tcp_listener closed;
        std::error_code refused;
        try {
            multishot_accept incoming = closed.accept_many();
        } catch (const std::system_error& error) {
            refused = error.code();
        }
        CHECK(refused == std::errc::bad_file_descriptor);
        co_return;
    });
}

TEST_CASE("accept_many: accepts a number of those that nobody takes, and no more") {
    run_clean([]() -> task<> {
        tcp_listener listener = listen();
        multishot_accept incoming = listener.accept_many();
        auto first =
            co_await when_all(tcp_stream::connect(listener.local_address()), incoming.next());
        const std::size_t before = open_descriptors().size();
        std::vector<crowd> crowds;
        for (int i = 0; i < 20; ++i) {
            crowds.emplace_back(listener, 20);
            co_await iterations();
        }
        CHECK(open_descriptors().size() - before - 400 <= 100);
        for (const crowd& each : crowds) {
            for (std::size_t i = 0; i < each.streams.size(); ++i)
                co_await incoming.next();
        }
    });
}

TEST_CASE("accept_many: goes on after the completions have overflowed") {
    context_options smallest;
    smallest.ring_entries = 8; // and 128 completions
    run_clean(
        []() -> task<> {
            tcp_listener listener = listen();
            multishot_accept incoming = listener.accept_many();
            auto first =
                co_await when_all(tcp_stream::connect(listener.local_address()), incoming.next());
            for (int round = 0; round < 3; ++round) {
                crowd peers(listener, 400);
                std::set<std::string> seen;
                for (std::size_t i = 0; i < peers.streams.size(); ++i) {
                    tcp_stream taken = co_await incoming.next();
                    seen.insert(to_string(taken.peer_address()));
                }
                CHECK(seen == peers.addresses);
            }
        },
        smallest);
}
