// SPDX-License-Identifier: MIT
//
// Leases in reads and writes, and what the kernel knows of their pools. Where it knows nothing of
// the kind, as epoll does, all else is the same.

#include "clean_run.hpp"
#include "connected.hpp"

#include <algorithm>
#include <coracle/coracle.hpp>
#include <deque>
#include <fstream>
#include <optional>
#include <string>

using namespace coracle;
using namespace coracle::test;

namespace {

/// How many buffers the rings of this process know, by what the kernel says.
std::size_t buffers_known() {
    std::size_t known = 0;
    for (const native_handle handle : open_descriptors()) {
        std::ifstream information("/proc/self/fdinfo/" + std::to_string(handle));
        bool listed = false;
        for (std::string line; std::getline(information, line);) {
            if (line.starts_with("UserBufs:"))
                listed = true;
            else if (listed && line.starts_with(" ") && line.find("/") != std::string::npos)
                ++known;
            else
                listed = false;
        }
    }
    return known;
}

bool on_ring() {
    return context::current().backend_name() == "io_uring";
}

} // namespace

TEST_CASE("registered buffers: one is read into and another one written from") {
    run_clean([]() -> task<> {
        for (const registration each : {registration::where_useful, registration::wanted}) {
            buffer_pool pool(2, 4096, each);
            connection ends = co_await connect_ends();
            buffer_lease sent = co_await pool.lease();
            std::fill(sent.begin(), sent.end(), std::byte{'x'});
            sent.resize(1000);
            co_await ends.here.write(sent);
            buffer_lease got = co_await pool.lease();
            got.resize(co_await ends.there.read(got));
            CHECK(got.size() == 1000);
            CHECK(std::equal(got.begin(), got.end(), sent.begin(), sent.end()));
            const std::array<const_buffer, 2> both = {const_buffer(sent), const_buffer(got)};
            co_await ends.here.write(both);
            got.resize(got.capacity());
            got.resize(co_await ends.there.read_exactly(mutable_buffer(got.data(), 2000)));
            CHECK(got.size() == 2000);
        }
    });
}

TEST_CASE("registered buffers: the kernel knows a pool for as long as it lives") {
    run_clean([]() -> task<> {
        {
            const buffer_pool plain(4, 4096);
            CHECK_FALSE(plain.registered()); // since operations would not gain by it
            buffer_pool pool(4, 4096, registration::wanted);
            CHECK(static_cast<bool>(pool.registered()) == on_ring());
            CHECK(buffers_known() == (on_ring() ? 1 : 0));
            const buffer_pool other(4, 4096, registration::wanted);
            CHECK(buffers_known() == (on_ring() ? 2 : 0));
            if (on_ring()) {
                CHECK(pool.registered().registrar() == buffer_registrar::current());
                CHECK(pool.registered().id() != other.registered().id());
            }
        }
        CHECK(buffers_known() == 0);
        co_return;
    });
}

TEST_CASE("registered buffers: a pool that outlives its context is registered no more") {
    std::optional<buffer_pool> pool;
    run_clean([&]() -> task<> {
        pool.emplace(4, 4096, registration::wanted);
        CHECK(static_cast<bool>(pool->registered()) == on_ring());
        co_return;
    });
    CHECK_FALSE(pool->registered());
    CHECK(pool->try_lease());
    CHECK(buffer_registrar::current() == nullptr);
    const buffer_pool outside(4, 4096, registration::wanted);
    CHECK_FALSE(outside.registered());
}

namespace {

int warnings = 0;

void count_warnings(std::string_view line) noexcept {
    if (line.find("is not registered") != std::string_view::npos)
        ++warnings;
}

} // namespace

TEST_CASE("registered buffers: a pool beyond the locked-memory limit works unregistered, with one "
          "warning") {
    const warning_handler before = set_warning_handler(count_warnings);
    run_clean([]() -> task<> {
        std::deque<buffer_pool> pools;
        for (int i = 0; i < 70; ++i)
            pools.emplace_back(1, 64, registration::wanted);
        const auto registered = std::count_if(pools.begin(), pools.end(), [](const auto& each) {
            return static_cast<bool>(each.registered());
        });
        CHECK(registered == (on_ring() ? 64 : 0));
        CHECK(warnings == (on_ring() ? 1 : 0));
        CHECK(pools.back().try_lease());
        pools.pop_front();
        pools.emplace_back(1, 64, registration::wanted);
        CHECK(static_cast<bool>(pools.back().registered()) == on_ring());
        co_return;
    });
    set_warning_handler(before);
    CHECK(buffers_known() == 0);
}
