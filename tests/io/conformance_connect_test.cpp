// SPDX-License-Identifier: MIT
//
// Conformance of accept and connect, and of what is done to sockets as a whole: closing, moving,
// giving up and adopting them, and sockets that outlive their loop.

#include "clean_run.hpp"
#include "connected.hpp"
#include "instrumented.hpp"

#include <coracle/coracle.hpp>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace coracle;
using namespace coracle::test;
using namespace std::chrono_literals;
using namespace std::string_view_literals;

namespace {

/// A listener whose queue, of one, is full, so that further connections neither succeed nor fail.
class full_listener {
public:
    full_listener() {
        listen_options options;
        options.backlog = 0;
        listener = tcp_listener::bind(address::loopback_v4(0), options);
        queued = tcp_stream::adopt(connect_raw(listener.local_address()));
    }

    tcp_listener listener;
    tcp_stream queued;
};

/// False also if it has no peer any more.
bool comes_from(const tcp_stream& accepted, const address& peer) {
    try {
        return accepted.peer_address() == peer;
    } catch (const std::system_error&) {
        return false;
    }
}

} // namespace

TEST_CASE("connect and accept: give two ends of one connection") {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        CHECK(ends.here.local_address() == ends.there.peer_address());
        CHECK(ends.here.peer_address() == ends.there.local_address());
        co_await ends.here.write("ping"sv);
        const std::string text = co_await read_text(ends.there, 4);
        CHECK(text == "ping");
    });
}

TEST_CASE("connect: from a local address") {
    run_clean([]() -> task<> {
        tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
        const address local = address::parse("127.0.0.2:0");
        auto ends = co_await when_all(tcp_stream::connect(listener.local_address(), local),
                                      listener.accept());
        CHECK(std::get<1>(ends).peer_address().with_port(0) == local);
    });
}

TEST_CASE("connect: where nobody listens it is refused") {
    run_clean([]() -> task<> {
        const address nobody = address::loopback_v4(1); // no free port: another program may take it
        for (int i = 0; i < 3; ++i) {
            const auto connected = co_await as_result(tcp_stream::connect(nobody));
            CHECK(connected.error() == std::errc::connection_refused);
        }
    });
}

TEST_CASE("connect: is refused late, when the listener goes while it waits") {
    run_clean([]() -> task<> {
        auto full = std::make_unique<full_listener>();
        auto closing = [&]() -> task<> {
            co_await iterations();
            full.reset();
        };
        // The kernel asks again after a second.
        auto both = co_await when_all(
            result_of_task(tcp_stream::connect(full->listener.local_address())), closing());
        CHECK(std::get<0>(both).error() == std::errc::connection_refused);
    });
}

TEST_CASE("connect: succeeds late, when the backlog of the listener has a free place again") {
    run_clean([]() -> task<> {
        full_listener full;
        auto accepting = [&]() -> task<> {
            co_await iterations();
            for (int i = 0; i < 2; ++i)
                co_await full.listener.accept();
        };
        auto both =
            co_await when_all(tcp_stream::connect(full.listener.local_address()), accepting());
        CHECK(std::get<0>(both).peer_address() == full.listener.local_address());
    });
}

TEST_CASE("connect: cancelled before its start") {
    run_clean([]() -> task<> {
        tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
        const auto connected =
            co_await cancel_at(moment::before_start, tcp_stream::connect(listener.local_address()));
        CHECK(connected.error() == std::errc::operation_canceled);
    });
}

TEST_CASE("connect: cancelled while pending") {
    run_clean([]() -> task<> {
        full_listener full;
        const auto connected = co_await cancel_at(
            moment::while_pending, tcp_stream::connect(full.listener.local_address()));
        CHECK(connected.error() == std::errc::operation_canceled);
    });
}

TEST_CASE("connect: cancelled when it has succeeded, it gives its descriptor back") {
    run_clean([]() -> task<> {
        tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
        for (int i = 0; i < 20; ++i) {
            auto body = [&](task_group& group) -> task<> {
                group.start(tcp_stream::connect(listener.local_address()));
                group.start(tcp_stream::connect(listener.local_address()));
                for (int iteration = 0; iteration < i % 4; ++iteration)
                    co_await yield();
                group.cancel();
            };
            co_await with_task_group(body);
        }
    });
}

TEST_CASE("connect: times out") {
    run_clean([]() -> task<> {
        full_listener full;
        const auto connected = co_await as_result(
            with_timeout(5ms, tcp_stream::connect(full.listener.local_address())));
        CHECK(connected.error() == std::errc::timed_out);
    });
}

TEST_CASE("connect: to an address that cannot be reached passes the code on") {
    run_clean([]() -> task<> {
        const auto connected =
            co_await as_result(tcp_stream::connect(address::parse("255.255.255.255:9")));
        CHECK_FALSE(connected.has_value());
        CHECK(connected.error() != std::errc::operation_canceled);
    });
}

TEST_CASE("accept: of a closed listener fails at once") {
    run_clean([]() -> task<> {
        tcp_listener closed;
        const auto accepted = co_await as_result(closed.accept());
        CHECK(accepted.error() == std::errc::bad_file_descriptor);
    });
}

TEST_CASE("accept: cancelled before its start it takes no connection") {
    run_clean([]() -> task<> {
        tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
        tcp_stream peer = tcp_stream::adopt(connect_raw(listener.local_address()));
        const auto accepted = co_await cancel_at(moment::before_start, listener.accept());
        CHECK(accepted.error() == std::errc::operation_canceled);
        tcp_stream taken = co_await listener.accept();
        CHECK(taken.peer_address() == peer.local_address());
    });
}

TEST_CASE("accept: cancelled while pending, and the listener goes on") {
    run_clean([]() -> task<> {
        tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
        for (int i = 0; i < 3; ++i) {
            const auto accepted = co_await cancel_at(moment::while_pending, listener.accept());
            CHECK(accepted.error() == std::errc::operation_canceled);
        }
        connection ends = co_await connect_to(listener);
        CHECK(ends.there.is_open());
    });
}

TEST_CASE("accept: cancelled when a connection is there, it is delivered or stays in the queue") {
    run_clean([]() -> task<> {
        tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
        for (int i = 0; i < 20; ++i) {
            std::optional<result<tcp_stream>> accepted;
            tcp_stream peer;
            auto accepting = [&]() -> task<> { accepted = co_await as_result(listener.accept()); };
            auto body = [&](task_group& group) -> task<> {
                group.start(accepting);
                co_await iterations();
                peer = tcp_stream::adopt(connect_raw(listener.local_address()));
                group.cancel();
            };
            co_await with_task_group(body);
            tcp_stream taken;
            if (*accepted) {
                taken = std::move(**accepted);
            } else {
                CHECK(accepted->error() == std::errc::operation_canceled);
                taken = co_await listener.accept();
            }
            CHECK(taken.peer_address() == peer.local_address());
        }
    });
}

TEST_CASE("accept: a connection that comes too late for its job is closed") {
    run_clean([]() -> task<> {
        tcp_listener one = tcp_listener::bind(address::loopback_v4(0));
        tcp_listener other = tcp_listener::bind(address::loopback_v4(0));
        std::vector<tcp_stream> peers;
        auto connecting = [&]() -> task<> {
            co_await iterations(); // both accepts complete together; when_any keeps the first only
            peers.push_back(tcp_stream::adopt(connect_raw(one.local_address())));
            peers.push_back(tcp_stream::adopt(connect_raw(other.local_address())));
            event never;
            co_await never.wait();
        };
        auto first = co_await when_any(one.accept(), other.accept(), connecting());
        CHECK(first.index() < 2);
        std::string text(1, '\0');
        const std::size_t loser = 1 - first.index();
        const auto end = co_await as_result(with_timeout(10s, peers[loser].read(text)));
        CHECK(end.value_or(1) == 0);
    });
}

TEST_CASE("accept: times out, and the listener goes on") {
    run_clean([]() -> task<> {
        tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
        const auto accepted = co_await as_result(with_timeout(2ms, listener.accept()));
        CHECK(accepted.error() == std::errc::timed_out);
        connection ends = co_await connect_to(listener);
        CHECK(ends.there.is_open());
    });
}

TEST_CASE("accept: a connection that was reset before it was taken does not end it") {
    run_clean([]() -> task<> {
        tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
        tcp_stream gone = tcp_stream::adopt(connect_raw(listener.local_address()));
        reset(gone);
        tcp_stream peer = tcp_stream::adopt(connect_raw(listener.local_address()));
        const address expected = peer.local_address();
        tcp_stream taken = co_await listener.accept();
        if (!comes_from(taken, expected)) { // Linux gives the dead one as well
            std::string text(1, '\0');
            const auto end = co_await as_result(taken.read(text));
            CHECK(end.error() == std::errc::connection_reset);
            taken = co_await listener.accept();
        }
        CHECK(comes_from(taken, expected));
    });
}

TEST_CASE("accept: several at once share the connections of one listener") {
    run_clean([]() -> task<> {
        constexpr std::size_t acceptors = 5;
        constexpr std::size_t each = 20;
        tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
        std::size_t accepted = 0;
        auto body = [&](task_group& group) -> task<> {
            auto accepting = [&]() -> task<> {
                for (std::size_t i = 0; i < each; ++i) {
                    tcp_stream peer = co_await listener.accept();
                    co_await peer.write("x"sv);
                    ++accepted;
                }
            };
            for (std::size_t i = 0; i < acceptors; ++i)
                group.start(accepting);
            for (std::size_t i = 0; i < acceptors * each; ++i) {
                tcp_stream peer = co_await tcp_stream::connect(listener.local_address());
                const std::string text = co_await read_text(peer, 1);
                CHECK(text == "x");
            }
        };
        co_await with_task_group(body);
        CHECK(accepted == acceptors * each);
    });
}

TEST_CASE("accept: one of several that is cancelled does not hinder the others") {
    run_clean([]() -> task<> {
        tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
        auto steady = [&]() -> task<> {
            tcp_stream peer = co_await listener.accept();
            CHECK(peer.is_open());
        };
        auto others = [&]() -> task<> {
            for (int i = 0; i < 3; ++i) {
                const auto gone = co_await cancel_at(moment::while_pending, listener.accept());
                CHECK(gone.error() == std::errc::operation_canceled);
            }
            tcp_stream peer = co_await tcp_stream::connect(listener.local_address());
        };
        co_await when_all(steady(), others());
    });
}

TEST_CASE("listener: closing or destroying it ends all who accept") {
    run_clean([]() -> task<> {
        auto listener = std::make_unique<tcp_listener>(tcp_listener::bind(address::loopback_v4(0)));
        const address local = listener->local_address();
        auto accepting = [&]() -> task<> {
            const auto accepted = co_await as_result(listener->accept());
            CHECK(accepted.error() == std::errc::operation_canceled);
        };
        auto closing = [&]() -> task<> {
            co_await iterations();
            listener.reset();
        };
        co_await when_all(accepting(), accepting(), accepting(), closing());
        const auto refused = co_await as_result(tcp_stream::connect(local));
        CHECK(refused.error() == std::errc::connection_refused); // the port is free again
    });
}

TEST_CASE("listener: destroyed while a connection is on its way to who accepts") {
    run_clean([]() -> task<> {
        for (int i = 0; i < 20; ++i) {
            auto listener =
                std::make_unique<tcp_listener>(tcp_listener::bind(address::loopback_v4(0)));
            tcp_stream peer;
            auto accepting = [&]() -> task<> {
                const auto accepted = co_await as_result(listener->accept());
                if (!accepted)
                    CHECK(accepted.error() == std::errc::operation_canceled);
            };
            auto closing = [&]() -> task<> {
                co_await iterations();
                peer = tcp_stream::adopt(connect_raw(listener->local_address()));
                listener.reset();
            };
            co_await when_all(accepting(), closing());
        }
    });
}

TEST_CASE("listener: destroyed after a connection has come for who accepts, who still gets it") {
    run_clean([]() -> task<> {
        std::array<std::unique_ptr<tcp_listener>, 2> listeners;
        for (auto& each : listeners)
            each = std::make_unique<tcp_listener>(tcp_listener::bind(address::loopback_v4(0)));
        std::vector<tcp_stream> peers;
        int accepted = 0;
        auto accepting = [&](std::size_t which) -> task<> {
            tcp_stream peer = co_await listeners[which]->accept();
            accepted += peer.is_open();
            listeners[1 - which].reset(); // the other has its connection, but does not know yet
        };
        auto connecting = [&]() -> task<> {
            co_await iterations();
            for (auto& each : listeners)
                peers.push_back(tcp_stream::adopt(connect_raw(each->local_address())));
        };
        co_await when_all(accepting(0), accepting(1), connecting());
        CHECK(accepted == 2);
    });
}

TEST_CASE("stream: can be moved while idle, and used at its new place") {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        co_await ends.here.write("one"sv);
        tcp_stream moved = std::move(ends.here);
        CHECK_FALSE(ends.here.is_open());
        co_await moved.write("two"sv);
        tcp_stream assigned;
        assigned = std::move(moved);
        co_await assigned.write("three"sv);
        const std::string text = co_await read_text(ends.there, 11);
        CHECK(text == "onetwothree");
    });
}

TEST_CASE("stream: released by one loop it can be adopted by another") {
    if (!sockets_can_move())
        return;
    run_clean([]() -> task<> {
        if (for_valgrind && context::current().backend_name() == "io_uring") {
            MESSAGE("skipped, because under valgrind no thread runs while one waits in io_uring");
            co_return;
        }
        connection ends = co_await connect_ends();
        co_await ends.here.write("here"sv);
        const native_handle handle = ends.here.release();
        CHECK_FALSE(ends.here.is_open());
        std::string answer;
        std::thread other([&] {
            run([](native_handle given, std::string& text) -> task<> {
                tcp_stream adopted = tcp_stream::adopt(given);
                co_await adopted.write(" there"sv);
                text = co_await read_text(adopted, 6);
            }(handle, answer));
        });
        const std::string text = co_await read_text(ends.there, 10);
        CHECK(text == "here there");
        co_await ends.there.write("answer"sv);
        other.join();
        CHECK(answer == "answer");
    });
}

TEST_CASE("stream: one that was released is not watched any more") {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        const auto nothing = co_await cancel_at(moment::while_pending, read_text(ends.here, 1));
        CHECK_FALSE(nothing); // it had to wait, so it is registered
        const std::string_view backend = context::current().backend_name();
        const auto watched = registrations(backend);
        const native_handle handle = ends.here.release();
        if (watched)
            CHECK(registrations(backend) == *watched - 1);
        close_raw(handle);
    });
}

TEST_CASE("stream: is not released while an operation is under way") {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        std::string text(1, '\0');
        auto releasing = [&]() -> task<> {
            co_await iterations();
            std::error_code refused;
            try {
                static_cast<void>(ends.here.release());
            } catch (const std::system_error& error) {
                refused = error.code();
            }
            CHECK(refused == std::errc::device_or_resource_busy);
            co_await ends.there.write("x"sv);
        };
        auto both = co_await when_all(ends.here.read(text), releasing());
        CHECK(std::get<0>(both) == 1);
        CHECK(ends.here.is_open());
    });
}

TEST_CASE("stream: one whose opener made it non-blocking works all the same") {
    run_clean([]() -> task<> {
        const auto [first, second] = raw_pair();
        make_non_blocking(first);
        make_non_blocking(second);
        tcp_stream one = tcp_stream::adopt(first);
        tcp_stream other = tcp_stream::adopt(second);
        auto writing = [&]() -> task<> {
            co_await iterations();
            co_await other.write("later"sv);
        };
        auto both = co_await when_all(read_text(one, 5), writing());
        CHECK(std::get<0>(both) == "later");
        const std::string large(too_much / 8, 'x');
        auto moved = co_await when_all(one.write(large), read_text(other, large.size()));
        CHECK((std::get<1>(moved) == large));
    });
}

TEST_CASE("closed sockets: say that they are closed") {
    run_clean([]() -> task<> {
        connection ends = co_await connect_ends();
        ends.here.close();
        ends.here.close();
        CHECK(ends.here.handle() == no_handle);
        const auto says_closed = [](auto use) {
            try {
                use();
            } catch (const std::system_error& error) {
                return error.code() == std::errc::bad_file_descriptor;
            }
            return false;
        };
        CHECK(says_closed([&] { ends.here.set_no_delay(true); }));
        CHECK(says_closed([&] { static_cast<void>(ends.here.peer_address()); }));
        CHECK(says_closed([&] { ends.here.shutdown(shutdown_direction::both); }));
        CHECK(says_closed([&] { static_cast<void>(ends.here.release()); }));
    });
}

TEST_CASE("context: sockets may outlive it, be used in the next one, and be destroyed later") {
    if (!sockets_can_move())
        return;
    const possessions before;
    {
        std::optional<connection> kept;
        std::optional<tcp_listener> listener;
        auto use = [&]() -> task<> {
            if (!kept) {
                listener = tcp_listener::bind(address::loopback_v4(0));
                kept.emplace(co_await connect_to(*listener));
            }
            std::string text(4, '\0');
            auto both = co_await when_all(kept->here.read(text),
                                          kept->there.write("live"sv)); // waits, so it registers
            CHECK(std::get<0>(both) == 4);
            connection more = co_await connect_to(*listener);
            CHECK(more.here.is_open());
        };
        run(use());
        CHECK(registrations("epoll").value_or(0) == 0);
        for (const std::string_view name : backend_names()) {
            context_options options;
            options.backend = name;
            run(use(), options);
        }
    }
    check_unchanged(before);
}
