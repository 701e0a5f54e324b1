// SPDX-License-Identifier: MIT
//
// Two hundred connections that echo, while a third of what they do is cancelled, timed out or reset
// at random moments. Whatever happens, what arrives is what was sent, and nothing is left over.

#include "clean_run.hpp"
#include "connected.hpp"
#include "instrumented.hpp"

#include <coracle/coracle.hpp>
#include <random>
#include <string>
#include <vector>

using namespace coracle;
using namespace coracle::test;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t connections = 200;
constexpr std::size_t largest_message = 40'000;

/// Whether an error is one that the tests bring about themselves.
bool is_expected(std::error_code error) {
    return error == std::errc::connection_reset || error == std::errc::broken_pipe ||
           error == std::errc::operation_canceled || error == std::errc::timed_out ||
           error == std::errc::not_connected;
}

task<> echo(tcp_stream peer) {
    std::vector<char> buffer(8192);
    for (;;) {
        const auto count = co_await as_result(peer.read(buffer));
        if (!count || *count == 0)
            co_return;
        const auto done = co_await as_result(peer.write(const_buffer(buffer.data(), *count)));
        if (!done)
            co_return;
    }
}

/// One connection's life; true if it came to its end undisturbed.
task<bool> talk(address server, unsigned seed) {
    std::minstd_rand random(seed);
    tcp_stream peer = co_await tcp_stream::connect(server);
    const std::size_t messages = 1 + random() % 12;
    for (std::size_t i = 0; i < messages; ++i) {
        std::string text(1 + random() % largest_message, '\0');
        for (char& byte : text)
            byte = static_cast<char>(random());
        const std::chrono::microseconds limit(random() % 3000);
        const bool disturbed = random() % 15 == 0;
        if (disturbed && random() % 3 == 0) {
            send_raw(peer, "x");
            reset(peer); // with an echo on its way
            co_return false;
        }
        auto exchange = when_all(peer.write(text), read_text(peer, text.size()));
        if (!disturbed) {
            auto both = co_await std::move(exchange);
            CHECK((std::get<1>(both) == text));
            continue;
        }
        auto both = co_await as_result(with_timeout(limit, std::move(exchange)));
        if (!both) {
            CHECK(is_expected(both.error())); // by this limit of time or by its caller's
            co_return false;
        }
        CHECK((std::get<1>(*both) == text));
    }
    co_return true;
}

task<> round_of(unsigned seed, std::size_t& undisturbed) {
    tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
    const address server = listener.local_address();
    auto body = [&](task_group& servers) -> task<> {
        auto accepting = [&]() -> task<> {
            for (;;)
                servers.start(echo(co_await listener.accept()));
        };
        servers.start(accepting);
        auto clients = [&](task_group& group) -> task<> {
            auto one = [&](unsigned own_seed) -> task<> {
                const auto done = co_await as_result(talk(server, own_seed));
                if (!done)
                    CHECK(is_expected(done.error()));
                undisturbed += done.value_or(false);
            };
            auto cut_off = [&](unsigned own_seed) -> task<> {
                std::minstd_rand random(own_seed);
                const std::chrono::microseconds limit(random() % 20'000);
                const auto done = co_await as_result(with_timeout(limit, talk(server, own_seed)));
                if (!done)
                    CHECK(is_expected(done.error()));
            };
            for (unsigned i = 0; i < connections; ++i) {
                if (i % 6 == 0)
                    group.start(cut_off, seed + i);
                else
                    group.start(one, seed + i);
            }
            co_return;
        };
        co_await with_task_group(clients);
        servers.cancel(); // with some echoes under way
    };
    co_await with_task_group(body);
}

} // namespace

TEST_CASE("stress: connections that are cancelled, timed out and reset leave nothing") {
    const unsigned rounds = instrumented ? 3 : 10;
    for (unsigned round = 0; round < rounds; ++round) {
        const unsigned seed = 1000 * (round + 1);
        CAPTURE(seed);
        std::size_t undisturbed = 0;
        run_clean([&] { return round_of(seed, undisturbed); });
        CHECK(undisturbed > connections / 4);
        CHECK(undisturbed < connections * 9 / 10);
    }
}
