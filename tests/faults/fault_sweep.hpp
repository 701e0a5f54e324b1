// SPDX-License-Identifier: MIT
//
// fault_sweep: runs a scenario again and again, and has the first call of a kind fail, then the
// second, until there are no more of them; and the scenarios that are worth it. Each time nothing
// is left, and the loop is as usable as before.
//
// While a fault is planned a scenario calls nothing of the test framework, which allocates as well.
#pragma once

#include "clean_run.hpp"
#include "connected.hpp"
#include "fault.hpp"

#include <array>
#include <coracle/coracle.hpp>
#include <coracle/io/buffer_pool.hpp>
#include <csignal>
#include <cstddef>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace coracle::test {

/// Counts warnings instead of printing them, while it lives.
class counted_warnings {
public:
    counted_warnings() noexcept : before_(set_warning_handler(count)) { number = 0; }

    ~counted_warnings() { set_warning_handler(before_); }

    counted_warnings(const counted_warnings&) = delete;
    counted_warnings& operator=(const counted_warnings&) = delete;

    static inline int number = 0;

private:
    static void count(std::string_view) noexcept { ++number; }

    warning_handler before_;
};

/// How a scenario ended that met a fault, or did not get as far.
struct fault_outcome {
    bool struck = false;
    std::exception_ptr failure;
    int warnings = 0;

    [[nodiscard]] bool completed() const noexcept { return !failure; }

    /// Whether it failed with this error of the operating system, unchanged.
    [[nodiscard]] bool failed_with(int error) const {
        try {
            if (failure)
                std::rethrow_exception(failure);
        } catch (const std::system_error& thrown) {
            return thrown.code() == std::error_code(error, std::system_category());
        } catch (...) {
            return false;
        }
        return false;
    }

    [[nodiscard]] bool ran_out_of_memory() const {
        try {
            if (failure)
                std::rethrow_exception(failure);
        } catch (const std::bad_alloc&) {
            return true;
        } catch (...) {
            return false;
        }
        return false;
    }

    [[nodiscard]] std::string words() const {
        try {
            if (failure)
                std::rethrow_exception(failure);
        } catch (const std::exception& thrown) {
            return thrown.what();
        } catch (...) {
            return "no std::exception";
        }
        return "completed";
    }
};

inline task<> check_usable() {
    connection ends = co_await connect_ends();
    co_await ends.here.write(std::string_view("x"));
    const std::string text = co_await read_text(ends.there, 1);
    CHECK(text == "x");
}

/// Runs the task of `scenario()` with one fault.
template <class Scenario>
fault_outcome run_with_fault(std::string_view call, int nth, int error, Scenario scenario,
                             fault::lasting how_long = fault::lasting::once,
                             const context_options& options = {}) {
    fault_outcome outcome;
    run_clean(
        [&]() -> task<> {
            const counted_warnings warnings;
            {
                const fault planned(call, nth, error, how_long);
                try {
                    co_await scenario();
                } catch (...) {
                    outcome.failure = std::current_exception();
                }
                outcome.struck = planned.struck();
            }
            outcome.warnings = counted_warnings::number;
            co_await check_usable();
        },
        options);
    return outcome;
}

/// Has each call of that name fail once, and gives what came of it to `check`. Returns how many
/// there were.
template <class Scenario, class Check>
int fail_each(std::string_view call, int error, Scenario scenario, Check check,
              fault::lasting how_long = fault::lasting::once, const context_options& options = {}) {
    for (int nth = 1;; ++nth) {
        CAPTURE(std::string(call));
        CAPTURE(nth);
        CAPTURE(error);
        const fault_outcome outcome = run_with_fault(call, nth, error, scenario, how_long, options);
        INFO("it ended: ", outcome.words());
        if (!outcome.struck) {
            CHECK(outcome.completed());
            return nth - 1;
        }
        check(outcome);
    }
}

inline void require_that(bool so) {
    if (!so)
        throw std::logic_error("not what was sent");
}

/// A client of every kind of operation. The names say what a fault can meet.
inline task<> faulty_client(address server) {
    tcp_stream peer = co_await with_timeout(longest_test, tcp_stream::connect(server));
    peer.set_no_delay(true);
    co_await peer.write(std::string_view("hello\nworld\n"));
    const std::array parts = {const_buffer(std::string_view("and ")),
                              const_buffer(std::string_view("more\n"))};
    co_await peer.write(std::span<const const_buffer>(parts));
    std::array<char, 8> answer{};
    co_await peer.read_exactly(mutable_buffer(answer.data(), 6));
    require_that(std::string_view(answer.data(), 6) == "answsw");
    peer.shutdown(shutdown_direction::write);
    const std::array into = {mutable_buffer(answer.data(), 2), mutable_buffer(answer.data(), 4)};
    const std::size_t end =
        co_await with_timeout(longest_test, peer.read(std::span<const mutable_buffer>(into)));
    require_that(end == 0);
}

inline task<> faulty_session(tcp_stream peer) {
    peer.set_no_delay(true);
    line_reader lines(peer, 100);
    for (;;) {
        const auto line = co_await with_timeout(longest_test, lines.next());
        if (!line)
            co_return;
        co_await peer.write(std::string_view(line->substr(0, 2) == "he" ? "an" : "sw"));
    }
}

/// Two conversations one after the other: listen, connect, accept, echo, gather, scatter, lines,
/// limits of time, groups and the end of the stream.
inline task<> conversations() {
    tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
    auto body = [&](task_group& group) -> task<> {
        for (int i = 0; i < 2; ++i) {
            group.start(faulty_client, listener.local_address());
            group.start(faulty_session(co_await listener.accept()));
            co_await group.wait_for_others();
        }
    };
    co_await with_task_group(body);
}

/// More than fits between two ends that keep little, so that everybody waits and is woken.
inline task<> transfer() {
    tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
    connection ends = co_await connect_to(listener);
    const std::string text(3'000'000, 'x');
    auto writing = [&]() -> task<> {
        co_await ends.here.write(text);
        const std::array parts = {const_buffer(text), const_buffer(std::string_view("y"))};
        co_await ends.here.write(std::span<const const_buffer>(parts));
        ends.here.shutdown(shutdown_direction::write);
    };
    auto reading = [&]() -> task<> {
        std::string first(1'000'000, '\0');
        std::string second(700'000, '\0');
        const std::array into = {mutable_buffer(first), mutable_buffer(second)};
        std::size_t all = 0;
        for (std::size_t count = 1; count > 0; all += count)
            count = co_await ends.there.read(std::span<const mutable_buffer>(into));
        require_that(all == 2 * text.size() + 1);
    };
    co_await when_all(writing(), reading());
}

/// Reads a greeting; a connection that was closed instead gives nothing.
inline task<> greeted_client(address server) {
    tcp_stream peer = co_await tcp_stream::connect(server);
    std::array<char, 2> greeting{};
    co_await peer.read_exactly(mutable_buffer(greeting.data(), greeting.size()));
}

inline task<> greet(tcp_stream peer) {
    co_await peer.write(std::string_view("hi"));
}

/// Many at a door where one request takes them all.
inline task<> burst() {
    tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
    auto serving = [&]() -> task<> {
        auto body = [&](task_group& sessions) -> task<> {
            multishot_accept incoming = listener.accept_many();
            for (;;)
                sessions.start(greet(co_await incoming.next()));
        };
        co_await with_task_group(body);
    };
    auto clients = [&]() -> task<> {
        std::vector<task<>> all;
        for (int i = 0; i < 6; ++i)
            all.push_back(greeted_client(listener.local_address()));
        co_await when_all(std::move(all));
        co_await sleep_for(
            std::chrono::nanoseconds(0)); // a session that has failed is heard of first
    };
    co_await when_any(serving(), clients());
}

/// Bytes that come into the few buffers of a pool, more than those hold.
inline task<> received() {
    buffer_pool buffers(4, 64);
    tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
    connection ends = co_await connect_to(listener);
    ends.here.set_no_delay(true);
    const std::string text(200, 'x');
    auto writing = [&]() -> task<> {
        for (int i = 0; i < 4; ++i) {
            co_await ends.here.write(text);
            co_await sleep_for(std::chrono::nanoseconds(0));
        }
        ends.here.shutdown(shutdown_direction::write);
    };
    auto reading = [&]() -> task<> {
        multishot_receive incoming = ends.there.receive_many(buffers);
        std::size_t all = 0;
        for (bool ended = false; !ended;) {
            const buffer_lease bytes = co_await incoming.next();
            all += bytes ? bytes.size() : 0;
            ended = !bytes;
        }
        require_that(all == 4 * text.size());
    };
    co_await when_all(writing(), reading());
}

/// A stream that leaves one owner for another.
inline task<> handed_on() {
    tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
    connection ends = co_await connect_to(listener);
    co_await ends.here.write(std::string_view("ab"));
    tcp_stream here = tcp_stream::adopt(ends.here.release());
    std::array<char, 4> text{};
    co_await here.write(std::string_view("cd"));
    co_await ends.there.read_exactly(mutable_buffer(text.data(), text.size()));
    require_that(std::string_view(text.data(), text.size()) == "abcd");
}

/// Two signals, one of which comes while nobody waits.
inline task<> signalled() {
    signal_set signals({SIGUSR1, SIGUSR2});
    auto raising = []() -> task<> {
        std::raise(SIGUSR1);
        co_await yield();
        std::raise(SIGUSR2);
    };
    auto waiting = [&]() -> task<> {
        for (const int expected : {SIGUSR1, SIGUSR2}) {
            const int number = co_await signals.next();
            require_that(number == expected);
        }
    };
    co_await when_all(raising(), waiting());
}

} // namespace coracle::test
