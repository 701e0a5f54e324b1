// SPDX-License-Identifier: MIT
//
// The report of what is still held when a context ends: the exact text for each kind, and silence
// about everything that is in order.
#include "clean_run.hpp"
#include "collected_warnings.hpp"
#include "connected.hpp"
#include "raw_sockets.hpp"

#include <coracle/io/buffer_pool.hpp>
#include <coracle/runtime/object_pool.hpp>
#include <optional>
#include <thread>

using namespace coracle;
using namespace coracle::test;
using namespace std::string_view_literals;

namespace {

using lines = std::vector<std::string>;

/// As one text, which doctest can show.
std::string text_of(const lines& several) {
    std::string text;
    for (const std::string& each : several)
        text += each + "\n";
    return text;
}

/// What is written of something made one line below `above`, by the job called keeper.
std::string made_below(const creation_site& above) {
    return std::string(", made in ") + above.where().function_name() +
           " (leak_report_test.cpp:" + std::to_string(above.where().line() + 1) +
           ") by the job keeper";
}

std::string socket_text(const tcp_stream& kept) {
    return "still held at the end: socket (descriptor " + std::to_string(kept.handle()) +
           ", peer " + to_string(kept.peer_address()) + ")";
}

/// Runs `body` as a job called keeper in a context of its own, and gives the warnings at its end.
template <class Body>
lines warnings_of(Body body, const context_options& options = {}) {
    const collected_warnings collected;
    auto named = [&body]() -> task<> {
        name_this_job("keeper");
        co_await body();
    };
    run(named(), options);
    return collected.all();
}

struct lemon {
    int seeds = 3;
};

} // namespace

TEST_CASE("leak report: a socket that was used and is kept") {
    tcp_stream kept;
    std::string expected;
    auto body = [&]() -> task<> {
        tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
        const native_handle client = connect_raw(listener.local_address());
        const creation_site above;
        kept = co_await listener.accept();
        close_raw(client);
        std::byte byte = {};
        const std::size_t count = co_await kept.read(mutable_buffer(&byte, 1));
        CHECK(count == 0);
        expected = socket_text(kept) + made_below(above);
    };
    const lines said = warnings_of(body);
    if (detail::inspectable)
        CHECK(text_of(said) == expected + "\n");
    CHECK(kept.is_open());
}

TEST_CASE("leak report: a socket that was accepted and put away") {
    tcp_stream kept;
    std::string expected;
    auto body = [&]() -> task<> {
        tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
        const native_handle client = connect_raw(listener.local_address());
        const creation_site above;
        kept = co_await listener.accept();
        expected = socket_text(kept) + made_below(above);
        close_raw(client);
    };
    const lines said = warnings_of(body);
    if (detail::inspectable)
        CHECK(text_of(said) == expected + "\n");
}

TEST_CASE("leak report: a listener that is kept") {
    tcp_listener kept;
    std::string expected;
    auto body = [&]() -> task<> {
        const creation_site above;
        kept = tcp_listener::bind(address::loopback_v4(0));
        expected = "still held at the end: socket (descriptor " + std::to_string(kept.handle()) +
                   ", local " + to_string(kept.local_address()) + ")" + made_below(above);
        co_return;
    };
    const lines said = warnings_of(body);
    if (detail::inspectable)
        CHECK(text_of(said) == expected + "\n");
}

TEST_CASE("leak report: a lease and an object") {
    buffer_pool buffers(4, 4096);
    object_pool<lemon> lemons;
    buffer_lease kept_lease;
    object_handle<lemon> kept_lemon;
    lines expected;
    auto body = [&]() -> task<> {
        const buffer_lease given_back = buffers.try_lease();
        const creation_site above_lease;
        kept_lease = buffers.try_lease();
        auto make = [] { return lemon(); };
        const creation_site above_lemon;
        kept_lemon = lemons.make(make);
        expected = {
            "still held at the end: object of an object_pool (number 1)" + made_below(above_lemon),
            "still held at the end: lease of a buffer_pool (buffer 1)" + made_below(above_lease)};
        co_return;
    };
    const lines said = warnings_of(body);
    if (detail::inspectable)
        CHECK(text_of(said) == text_of(expected));
}

TEST_CASE("leak report: a function that was posted and never run") {
    std::string expected;
    auto body = [&]() -> task<> {
        const loop_handle here = context::current().handle();
        const creation_site above;
        here.post([] {});
        expected = "still held at the end: posted function (never run)" + made_below(above);
        co_return;
    };
    const lines said = warnings_of(body);
    if (detail::inspectable)
        CHECK(text_of(said) == expected + "\n");
}

TEST_CASE("leak report: many of a kind end in a number") {
    buffer_pool buffers(100, 64);
    std::vector<buffer_lease> kept;
    auto body = [&]() -> task<> {
        while (buffers.available() > 0)
            kept.push_back(buffers.try_lease());
        co_return;
    };
    const lines said = warnings_of(body);
    if (detail::inspectable) {
        REQUIRE(said.size() == 33);
        CHECK(said.back() == "still held at the end: 68 more");
    }
}

TEST_CASE("leak report: nothing is said of a program in order") {
    buffer_pool buffers(4, 4096);
    const buffer_lease mine = buffers.try_lease();
    tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
    auto body = [&]() -> task<> {
        connection ends = co_await connect_to(listener); // of main: it is used and not made here
        buffer_lease buffer = buffers.try_lease();
        co_await ends.here.write("lemon"sv);
        co_await ends.there.read_exactly(std::span(buffer).first(5));
        CHECK(context::current().leaks().size() == (detail::inspectable ? 3 : 0));
        const native_handle released = ends.here.release();
        CHECK(context::current().leaks().size() == (detail::inspectable ? 2 : 0));
        close_raw(released);
        const native_handle client = connect_raw(listener.local_address());
        const native_handle never_used = (co_await listener.accept()).release();
        close_raw(client);
        close_raw(never_used);
    };
    CHECK(warnings_of(body).empty());
}

TEST_CASE("leak report: nothing is said where that is not wanted") {
    tcp_stream kept;
    auto body = [&]() -> task<> { kept = std::move((co_await connect_ends()).here); };
    context_options options;
    options.report_leaks = false;
    CHECK(warnings_of(body, options).empty());
}

TEST_CASE("leak report: what is kept from one run to the next is said of once, at the end") {
    const collected_warnings collected;
    tcp_stream kept;
    {
        context here;
        auto connect = [&]() -> task<> { kept = std::move((co_await connect_ends()).here); };
        auto use = [&]() -> task<> {
            static_cast<void>(co_await as_result(kept.write("lemon"sv)));
        };
        here.run(connect());
        here.run(use());
        CHECK(collected.all().empty());
        CHECK(here.leaks().size() == (detail::inspectable ? 1 : 0));
    }
    CHECK(collected.all().size() == (detail::inspectable ? 1 : 0));
    run(iterations()); // another context has nothing to do with it
    CHECK(collected.all().size() == (detail::inspectable ? 1 : 0));
}

TEST_CASE("leak report: a socket that is first used on another thread belongs there") {
    const collected_warnings collected;
    std::optional<tcp_stream> moved;
    auto accept = [&]() -> task<> {
        tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
        const native_handle client = connect_raw(listener.local_address());
        moved = co_await listener.accept();
        close_raw(client);
        // Under the eyes of the context that made it.
        std::thread([&moved] {
            auto use = [&moved]() -> task<> {
                std::byte byte = {};
                const std::size_t count = co_await moved->read(mutable_buffer(&byte, 1));
                CHECK(count == 0);
                moved.reset();
            };
            run(use());
        }).join();
    };
    run(accept());
    CHECK(collected.all().empty());
}
