// SPDX-License-Identifier: MIT
//
// A total deadlock is noticed with a kernel behind the loop as well: as soon as no operation is
// under way that could end a wait, and not before.
#include "child_process.hpp"
#include "connected.hpp"

#include <coracle/coracle.hpp>
#include <cstdio>
#include <string>
#include <system_error>

using namespace coracle;
using namespace coracle::test;
using namespace std::string_view_literals;

namespace {

/// Operations that wait, and have ended; a multishot that waits for nobody; then nothing but an
/// event.
task<> wait_in_vain() {
    tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
    multishot_accept incoming = listener.accept_many();
    auto ends = co_await when_all(tcp_stream::connect(listener.local_address()), incoming.next());
    auto answering = [&]() -> task<> {
        co_await iterations();
        co_await std::get<0>(ends).write("x"sv);
    };
    auto both = co_await when_all(read_text(std::get<1>(ends), 1), answering());
    std::fprintf(stderr, "read %s\n", std::get<0>(both).c_str());
    event never;
    co_await never.wait();
}

} // namespace

TEST_CASE("deadlock: noticed once no operation is under way, and the run ends with an error") {
    const child_outcome outcome = in_child_process([] {
        try {
            run(wait_in_vain());
        } catch (const std::system_error& error) {
            if (error.code() == std::errc::resource_deadlock_would_occur)
                std::fputs("the run has ended\n", stderr);
        }
    });
    CAPTURE(outcome.error_output);
    CHECK(outcome.said("read x\ncoracle: deadlock: every job waits"));
    CHECK(outcome.said("waiting for event"));
    CHECK(outcome.said("the run has ended"));
    CHECK(outcome.succeeded);
}
