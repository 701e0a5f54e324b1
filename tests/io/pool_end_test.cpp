// SPDX-License-Identifier: MIT
//
// What becomes of a pool that ends, or is too small, while a kernel may still bring bytes for it.

#include "clean_run.hpp"
#include "connected.hpp"

#include <coracle/coracle.hpp>
#include <optional>
#include <string>
#include <vector>

using namespace coracle;
using namespace coracle::test;

namespace {

std::string text_of(const buffer_lease& bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool on_io_uring() {
    return context::current().backend_name() == "io_uring";
}

task<> receive_one(multishot_receive& incoming, tcp_stream& from) {
    send_raw(from, "first");
    const buffer_lease first = co_await incoming.next();
    CHECK(text_of(first) == "first");
}

/// Calls `then` when these bytes have arrived and the loop has not seen them: where a kernel brings
/// them into a buffer, its completion has not been collected.
template <class Function>
task<> before_collected(tcp_stream& from, const char* text, Function then) {
    auto writing = [&]() -> task<> { co_await from.write(std::string_view(text)); };
    auto body = [&](task_group& group) -> task<> {
        group.start(writing);
        co_await yield(); // within one iteration of the loop
        if (on_io_uring())
            let_kernel_answer();
        then();
        co_return;
    };
    co_await with_task_group(body);
}

} // namespace

TEST_CASE("receive_many: a pool may end once its object and its stream have, whatever has come") {
    run_clean([]() -> task<> {
        for (const bool collected : {false, true}) {
            CAPTURE(collected);
            connection ends = co_await connect_ends();
            std::optional<buffer_pool> pool(std::in_place, 16, 512);
            std::optional<multishot_receive> incoming(ends.here.receive_many(*pool));
            co_await receive_one(*incoming, ends.there);
            if (collected) {
                send_raw(ends.there, "nobody takes this");
                co_await iterations();
            }
            auto end_all = [&] {
                incoming.reset();
                ends.here.close();
                pool.reset();
            };
            co_await before_collected(ends.there, "nor this", end_all);
        }
    });
}

TEST_CASE("receive_many: what comes late for a pool is not taken for another at its address") {
    run_clean([]() -> task<> {
        connection old = co_await connect_ends();
        connection ends = co_await connect_ends();
        std::optional<buffer_pool> pool(std::in_place, 16, 512);
        std::optional<multishot_receive> incoming(old.here.receive_many(*pool));
        co_await receive_one(*incoming, old.there);
        std::optional<buffer_lease> first;
        auto receiving = [&]() -> task<> { first = co_await incoming->next(); };
        auto body = [&](task_group& group) -> task<> {
            auto replace_pool = [&] {
                incoming.reset();
                old.here.close();
                pool.reset();
                pool.emplace(16, 512);
                incoming.emplace(ends.here.receive_many(*pool));
                group.start(receiving);
            };
            co_await before_collected(old.there, "late", replace_pool);
            co_await iterations();
            send_raw(ends.there, "first");
        };
        co_await with_task_group(body);
        CHECK(text_of(*first) == "first");

        // No buffer is lent twice: what comes later does not change what is leased.
        std::vector<buffer_lease> leases;
        for (char work_item = 'a'; work_item < 'a' + 15; ++work_item) {
            send_raw(ends.there, std::string(1, work_item));
            leases.push_back(co_await incoming->next());
        }
        for (std::size_t i = 0; i < leases.size(); ++i)
            CHECK(text_of(leases[i]) == std::string(1, static_cast<char>('a' + i)));
    });
}

TEST_CASE("receive_many: a pool too small to lend from costs the others nothing") {
    run_clean([]() -> task<> {
        bool lent_before = false; // whether the kernel takes buffers of a pool at all
        for (const std::size_t buffers : {16U, 1U, 16U}) {
            CAPTURE(buffers);
            connection ends = co_await connect_ends();
            buffer_pool pool(buffers, 512);
            multishot_receive incoming = ends.here.receive_many(pool);
            co_await receive_one(incoming, ends.there);
            if (buffers > 1) {
                CHECK((pool.leased() > 0 || !lent_before));
                lent_before = pool.leased() > 0;
            }
        }
    });
}
