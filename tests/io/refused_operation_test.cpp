// SPDX-License-Identifier: MIT
//
// What a backend does not support fails at its first use, and a warning names backend and
// operation. All of those that are built in support every operation, so this one refuses them by
// itself.
#include "collected_warnings.hpp"

#include <coracle/io/backend.hpp>
#include <coracle/io/tcp.hpp>
#include <coracle/runtime/awaitable.hpp>
#include <coracle/runtime/loop.hpp>
#include <doctest/doctest.h>

using namespace coracle;

namespace {

class refusing_backend final : public backend {
public:
    refusing_backend() { set_current(this); }

    ~refusing_backend() override {
        detach_all();
        set_current(nullptr);
    }

    std::string_view name() const noexcept override { return "refusing"; }

    time_point now() noexcept override { return time_point(); }

    void poll(time_point) override {}

    void wake() noexcept override {}

    bool submit(operation& started) noexcept override {
        refuse(started, "it does nothing at all");
        return false;
    }

    void cancel(operation&) noexcept override {}

    bool unregister(detail::descriptor&) noexcept override { return true; }
};

task<> use_a_listener() {
    tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
    for (int i = 0; i < 2; ++i) {
        const auto accepted = co_await as_result(listener.accept());
        REQUIRE_FALSE(accepted.has_value());
        CHECK(accepted.error() == std::errc::operation_not_supported);
    }
    const auto connected = co_await as_result(tcp_stream::connect(listener.local_address()));
    REQUIRE_FALSE(connected.has_value());
    CHECK(connected.error() == std::errc::operation_not_supported);
}

} // namespace

TEST_CASE("backend: what it refuses fails as not supported, and is named once") {
    const test::collected_warnings warnings;
    refusing_backend kernel;
    loop here(kernel);
    here.run(use_a_listener());
    REQUIRE(warnings.all().size() == 2);
    const std::string first = warnings.all()[0];
    CHECK(first.starts_with("the backend refusing does not support accept on descriptor "));
    CHECK(first.ends_with(": it does nothing at all"));
    CHECK(warnings.all()[1].starts_with("the backend refusing does not support connect"));
    CHECK(kernel.operations_in_flight() == 0);
}
