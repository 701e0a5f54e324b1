// SPDX-License-Identifier: MIT
//
// Contexts and multishots that are used on another thread than their own, or where there is none:
// each stops the program with a message that names it.
#include "child_process.hpp"
#include "clean_run.hpp"
#include "connected.hpp"

#include <coracle/coracle.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

using namespace coracle;
using namespace coracle::test;

namespace {

void on_another_thread(const std::function<void()>& work) {
    std::thread(work).join();
}

} // namespace

TEST_CASE("context: destroyed on another thread it stops the program") {
    const child_outcome outcome = in_child_process([] {
        std::optional<context> here(std::in_place);
        on_another_thread([&] { here.reset(); });
    });
    CHECK(outcome.aborted);
    CHECK(outcome.said("a context was destroyed on another thread than its own"));
}

TEST_CASE("context: asked for where there is none it stops the program") {
    const child_outcome outcome = in_child_process([] {
        const context here;
        on_another_thread([] { static_cast<void>(context::current()); });
    });
    CHECK(outcome.aborted);
    CHECK(outcome.said("no context is on this thread: call this from within coracle::run"));
}

TEST_CASE("operation: awaited in a loop without a context it stops the program") {
    class idle_driver final : public driver {
    public:
        [[nodiscard]] time_point now() noexcept override {
            return std::chrono::steady_clock::now();
        }

        void poll(time_point) override {}

        void wake() noexcept override {}
    };

    const child_outcome outcome = in_child_process([] {
        const auto ends = raw_pair();
        tcp_stream here = tcp_stream::adopt(ends.first);
        idle_driver idle;
        loop bare(idle);
        auto read = [&]() -> task<> { co_await read_text(here, 1); };
        bare.run(read());
    });
    CHECK(outcome.aborted);
    CHECK(outcome.said("an operation was awaited outside of coracle::run"));
}

TEST_CASE("multishot: one that ends on another thread than its loop's stops the program") {
    for (const bool accepts : {true, false}) {
        CAPTURE(accepts);
        const child_outcome outcome = in_child_process([accepts] {
            run([](bool listening) -> task<> {
                buffer_pool pool(4, 512);
                tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
                std::optional<multishot_accept> incoming(listener.accept_many());
                auto ends = co_await when_all(tcp_stream::connect(listener.local_address()),
                                              incoming->next());
                send_raw(std::get<0>(ends), "x");
                std::optional<multishot_receive> arriving(std::get<1>(ends).receive_many(pool));
                static_cast<void>(co_await arriving->next());
                on_another_thread([&] { listening ? incoming.reset() : arriving.reset(); });
            }(accepts));
        });
        CHECK(outcome.aborted);
        CHECK(outcome.said("a multishot ended on another thread"));
    }
}
