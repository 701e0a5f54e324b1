// SPDX-License-Identifier: MIT
//
// What falls back to something else where a kernel cannot do it, as this kernel shows. The results
// are those of the other conformance tests; the table of the README says here what falls back how.

#include "clean_run.hpp"
#include "connected.hpp"

#include <coracle/coracle.hpp>

using namespace coracle;
using namespace coracle::test;
using namespace std::string_view_literals;

namespace {

/// Whether the kernel has the one request that brings all: io_uring keeps that with the descriptor.
bool is_armed(const socket& used) {
    return context::current().backend_name() == "io_uring" && used.state()->backend_object;
}

} // namespace

TEST_CASE("accept_many: is one request, or one for each connection") {
    run_clean([]() -> task<> {
        tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
        multishot_accept incoming = listener.accept_many();
        auto looking = [&]() -> task<> {
            co_await iterations();
            if (!is_armed(listener))
                MESSAGE("falls back to one request for each connection");
            tcp_stream peer = tcp_stream::adopt(connect_raw(listener.local_address()));
        };
        auto both = co_await when_all(incoming.next(), looking());
        CHECK(std::get<0>(both).is_open());
    });
}

TEST_CASE("receive_many: is one request, or one for each arrival") {
    run_clean([]() -> task<> {
        buffer_pool pool(8, 4096);
        connection ends = co_await connect_ends();
        multishot_receive incoming = ends.here.receive_many(pool);
        auto looking = [&]() -> task<> {
            co_await iterations();
            if (!is_armed(ends.here))
                MESSAGE("falls back to one request for each arrival");
            co_await ends.there.write("x"sv);
        };
        auto both = co_await when_all(incoming.next(), looking());
        CHECK(std::get<0>(both).size() == 1);
    });
}
