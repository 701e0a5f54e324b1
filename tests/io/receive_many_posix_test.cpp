// SPDX-License-Identifier: MIT
//
// What becomes of a stream's bytes that multishot receive has not taken, looked at from below.

#include "clean_run.hpp"
#include "connected.hpp"

#include <array>
#include <coracle/coracle.hpp>
#include <string>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace coracle;
using namespace coracle::test;

TEST_CASE("receive_many: a stream that nobody receives from keeps a few buffers at most") {
    run_clean([]() -> task<> {
        buffer_pool pool(1024, 64);
        connection ends = co_await connect_ends();
        multishot_receive incoming = ends.here.receive_many(pool);
        send_raw(ends.there, "x");
        const buffer_lease first = co_await incoming.next();
        const std::string sent(40'000, 's'); // for all buffers and some more
        send_raw(ends.there, sent);
        co_await iterations(20);
        int unread = 0;
        REQUIRE(::ioctl(static_cast<int>(ends.here.handle()), FIONREAD, &unread) == 0);
        CHECK(unread >= 40'000 - 100 * 64); // the kernel brings some 32 buffers at a time
        std::size_t seen = 0;
        while (seen < sent.size()) {
            const buffer_lease bytes = co_await incoming.next();
            seen += bytes.size();
        }
        CHECK(seen == sent.size());
    });
}

TEST_CASE("receive_many: a stream given up while the kernel still receives is free of it") {
    run_clean([]() -> task<> {
        buffer_pool pool(4, 512);
        connection ends = co_await connect_ends();
        {
            multishot_receive incoming = ends.here.receive_many(pool);
            send_raw(ends.there, "x");
            const buffer_lease bytes = co_await incoming.next();
        }
        const int handle = static_cast<int>(ends.here.release());
        send_raw(ends.there, "raw");
        std::array<char, 8> text = {};
        CHECK(::recv(handle, text.data(), text.size(), 0) == 3);
        ::close(handle);
        CHECK(pool.leased() <= 2); // what the kernel has at hand
    });
}
