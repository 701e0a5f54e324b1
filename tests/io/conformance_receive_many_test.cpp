// SPDX-License-Identifier: MIT
//
// Conformance of multishot receive: what a stream promises of reads it promises of receive_many
// too, whether the pool has a buffer or not, and nothing that has come is lost when that goes.

#include "child_process.hpp"
#include "clean_run.hpp"
#include "connected.hpp"

#include <array>
#include <coracle/coracle.hpp>
#include <optional>
#include <string>
#include <vector>

using namespace coracle;
using namespace coracle::test;
using namespace std::chrono_literals;
using namespace std::string_view_literals;

namespace {

std::string text_of(const buffer_lease& bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The next bytes, until there are `size` of them or the stream ends.
task<std::string> receive_text(multishot_receive& incoming, std::size_t size) {
    std::string text;
    while (text.size() < size) {
        const buffer_lease bytes = co_await incoming.next();
        if (!bytes)
            break;
        text += text_of(bytes);
    }
    co_return text;
}

/// Text in which every place can be told from the others nearby.
std::string long_text(std::size_t size) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i)
        text[i] = static_cast<char>('!' + i % 89);
    return text;
}

/// Every buffer of a pool.
std::vector<buffer_lease> all_of(buffer_pool& pool) {
    std::vector<buffer_lease> leases;
    while (buffer_lease taken = pool.try_lease())
        leases.push_back(std::move(taken));
    return leases;
}

/// The pool has given back whatever was lent.
void check_returned(buffer_pool& pool) {
    CHECK(pool.leased() <= pool.size() / 2); // what the kernel may keep at hand
}

} // namespace

TEST_CASE("receive_many: gives what has arrived, and what is still to come") {
    run_clean([]() -> task<> {
        buffer_pool pool(8, 4096);
        connection ends = co_await connect_ends();
        multishot_receive incoming = ends.here.receive_many(pool);
        send_raw(ends.there, "first");
        const buffer_lease first = co_await incoming.next();
        CHECK(text_of(first) == "first");
        auto late = [&]() -> task<> {
            co_await iterations();
            co_await ends.there.write("later"sv);
        };
        auto both = co_await when_all(incoming.next(), late());
        CHECK(text_of(std::get<0>(both)) == "later");
        CHECK(std::get<0>(both).pool() == &pool);
        CHECK(text_of(first) == "first");
    });
}

TEST_CASE("receive_many: a long stream comes whole and in order, whoever is faster") {
    run_clean([]() -> task<> {
        for (const std::size_t buffers : {1U, 2U, 3U, 64U}) {
            CAPTURE(buffers);
            buffer_pool pool(buffers, 512);
            connection ends = co_await connect_ends();
            multishot_receive incoming = ends.here.receive_many(pool);
            const std::string sent = long_text(300'000);
            std::string seen;
            auto receiving = [&]() -> task<> {
                seen = co_await receive_text(incoming, sent.size());
            };
            auto sending = [&]() -> task<> { co_await ends.there.write(sent); };
            co_await when_all(receiving(), sending());
            CHECK(seen == sent);
            check_returned(pool);
        }
    });
}

TEST_CASE("receive_many: the end of the stream is an empty lease, again and again") {
    run_clean([]() -> task<> {
        for (const bool pending : {false, true}) {
            CAPTURE(pending);
            buffer_pool pool(4, 512);
            connection ends = co_await connect_ends();
            multishot_receive incoming = ends.here.receive_many(pool);
            send_raw(ends.there, "last");
            auto closing = [&]() -> task<> {
                if (pending)
                    co_await iterations();
                ends.there.close();
            };
            auto reading = [&]() -> task<> {
                if (!pending)
                    co_await iterations();
                const std::string text = co_await receive_text(incoming, 100);
                CHECK(text == "last");
                for (int i = 0; i < 2; ++i) {
                    const buffer_lease end = co_await incoming.next();
                    CHECK_FALSE(end);
                    CHECK(end.empty());
                }
            };
            co_await when_all(closing(), reading());
            check_returned(pool);
        }
    });
}

TEST_CASE("receive_many: a reset ends it, pending or not") {
    run_clean([]() -> task<> {
        for (const int when : {0, 1, 2}) {
            CAPTURE(when);
            buffer_pool pool(4, 512);
            connection ends = co_await connect_ends();
            multishot_receive incoming = ends.here.receive_many(pool);
            if (when == 2) { // when nobody waits, but the kernel has been asked for more
                send_raw(ends.there, "x");
                const buffer_lease bytes = co_await incoming.next();
                CHECK(text_of(bytes) == "x");
            }
            auto breaking = [&]() -> task<> {
                if (when == 1)
                    co_await iterations();
                reset(ends.there);
            };
            auto reading = [&]() -> task<> {
                if (when == 2)
                    co_await iterations();
                const auto bytes = co_await as_result(incoming.next());
                CHECK(bytes.error() == std::errc::connection_reset);
            };
            co_await when_all(reading(), breaking());
            check_returned(pool);
        }
    });
}

TEST_CASE("receive_many: cancelled before its start it takes nothing") {
    run_clean([]() -> task<> {
        buffer_pool pool(4, 512);
        connection ends = co_await connect_ends();
        multishot_receive incoming = ends.here.receive_many(pool);
        send_raw(ends.there, "stays");
        auto receiving = [&]() -> task<std::string> {
            co_return text_of(co_await incoming.next());
        };
        const auto text = co_await cancel_at(moment::before_start, receiving());
        CHECK(text.error() == std::errc::operation_canceled);
        const std::string there = co_await receiving();
        CHECK(there == "stays");
    });
}

TEST_CASE("receive_many: cancelled while pending it ends, and goes on") {
    run_clean([]() -> task<> {
        buffer_pool pool(4, 512);
        connection ends = co_await connect_ends();
        multishot_receive incoming = ends.here.receive_many(pool);
        auto receiving = [&]() -> task<std::string> {
            co_return text_of(co_await incoming.next());
        };
        for (int i = 0; i < 3; ++i) {
            const auto text = co_await cancel_at(moment::while_pending, receiving());
            CHECK(text.error() == std::errc::operation_canceled);
        }
        send_raw(ends.there, "after");
        const std::string text = co_await receiving();
        CHECK(text == "after");
    });
}

TEST_CASE("receive_many: cancelled when the bytes are there it loses none") {
    run_clean([]() -> task<> {
        buffer_pool pool(4, 512);
        connection ends = co_await connect_ends();
        multishot_receive incoming = ends.here.receive_many(pool);
        for (int i = 0; i < 20; ++i) {
            std::optional<result<buffer_lease>> bytes;
            auto receiving = [&]() -> task<> { bytes = co_await as_result(incoming.next()); };
            auto body = [&](task_group& group) -> task<> {
                group.start(receiving);
                co_await iterations(i % 4);
                send_raw(ends.there, "bytes");
                group.cancel();
            };
            co_await with_task_group(body);
            if (!*bytes) {
                CHECK(bytes->error() == std::errc::operation_canceled);
                bytes = co_await as_result(incoming.next());
            }
            CHECK(text_of(**bytes) == "bytes");
        }
    });
}

TEST_CASE("receive_many: closing the stream cancels it, and closes afterwards") {
    run_clean([]() -> task<> {
        for (const bool received : {false, true}) {
            CAPTURE(received);
            buffer_pool pool(4, 512);
            connection ends = co_await connect_ends();
            multishot_receive incoming = ends.here.receive_many(pool);
            if (received) {
                send_raw(ends.there, "one");
                const buffer_lease bytes = co_await incoming.next();
                send_raw(ends.there, "not taken");
                co_await iterations();
                ends.here.close();
            } else {
                auto closing = [&]() -> task<> {
                    co_await iterations();
                    ends.here.close();
                };
                auto both = co_await when_all(result_of_task(incoming.next()), closing());
                CHECK(std::get<0>(both).error() == std::errc::operation_canceled);
                // Nobody has cancelled this job: it is an error like any other.
                CHECK_THROWS_AS(static_cast<void>(std::get<0>(both).value()), std::system_error);
            }
            const auto after = co_await as_result(incoming.next());
            CHECK(after.error() == std::errc::bad_file_descriptor);
            char byte = 0;
            const auto end = co_await as_result(ends.there.read(mutable_buffer(&byte, 1)));
            CHECK((!end || *end == 0)); // the peer has seen the end, or a reset
            check_returned(pool);
        }
    });
}

TEST_CASE("receive_many: nothing else reads at the same time") {
    run_clean([]() -> task<> {
        buffer_pool pool(4, 512);
        connection ends = co_await connect_ends();
        std::string text(5, '\0');
        {
            multishot_receive incoming = ends.here.receive_many(pool);
            std::error_code refused;
            try {
                multishot_receive second = ends.here.receive_many(pool);
            } catch (const std::system_error& error) {
                refused = error.code();
            }
            CHECK(refused == error::read_under_way);
            CHECK(refused == std::errc::device_or_resource_busy);
            auto others = [&]() -> task<> {
                co_await iterations();
                const auto another = co_await as_result(incoming.next());
                CHECK(another.error() == error::read_under_way);
                const auto plain = co_await as_result(ends.here.read(text));
                CHECK(plain.error() == error::read_under_way);
                send_raw(ends.there, "first");
            };
            auto both = co_await when_all(incoming.next(), others());
            CHECK(text_of(std::get<0>(both)) == "first");
            send_raw(ends.there, "plain");
            const auto beside = co_await as_result(ends.here.read(text)); // nobody else waits
            CHECK(beside.error() == error::read_under_way);
        }
        const std::size_t count = co_await ends.here.read(text);
        CHECK(count == 5);
        CHECK(text == "plain");
    });
}

TEST_CASE("receive_many: of a closed stream is refused") {
    run_clean([]() -> task<> {
        buffer_pool pool(4, 512);
        tcp_stream closed;
        std::error_code refused;
        try {
            multishot_receive incoming = closed.receive_many(pool);
        } catch (const std::system_error& error) {
            refused = error.code();
        }
        CHECK(refused == std::errc::bad_file_descriptor);
        co_return;
    });
}

TEST_CASE("receive_many: what nobody took stays with the stream, for any read") {
    run_clean([]() -> task<> {
        const std::string sent = long_text(3000);
        for (const int way : {0, 1, 2, 3}) {
            CAPTURE(way);
            buffer_pool pool(16, 512);
            connection ends = co_await connect_ends();
            std::string seen;
            {
                multishot_receive incoming = ends.here.receive_many(pool);
                send_raw(ends.there, sent);
                const buffer_lease bytes = co_await incoming.next();
                seen = text_of(bytes);
                co_await iterations();
            }
            std::string part(700, '\0');
            const std::array parts = {mutable_buffer(part.data(), 300), mutable_buffer(),
                                      mutable_buffer(part.data() + 300, 400)};
            if (way == 1)
                part.resize(co_await ends.here.read(part));
            else if (way == 2)
                part.resize(co_await ends.here.read(std::span<const mutable_buffer>(parts)));
            else if (way == 3)
                co_await ends.here.read_exactly(part);
            seen += way == 0 ? "" : part;
            multishot_receive again = ends.here.receive_many(pool);
            seen += co_await receive_text(again, sent.size() - seen.size());
            CHECK(seen == sent);
        }
    });
}

TEST_CASE("receive_many: a plain read that begins while it ends gets all") {
    run_clean([]() -> task<> {
        buffer_pool pool(16, 512);
        connection ends = co_await connect_ends();
        for (int i = 0; i < 8; ++i) {
            CAPTURE(i);
            {
                multishot_receive incoming = ends.here.receive_many(pool);
                send_raw(ends.there, "x");
                const buffer_lease bytes = co_await incoming.next();
                if (i & 1)
                    co_await iterations();
            }
            if (i & 2)
                send_raw(ends.there, "half");
            std::string text(8, '\0');
            auto late = [&]() -> task<> {
                co_await iterations();
                send_raw(ends.there, i & 2 ? "half" : "complete");
            };
            std::size_t count = 0;
            auto reading = [&]() -> task<> { count = co_await ends.here.read_exactly(text); };
            co_await when_all(reading(), late());
            CHECK(count == 8);
            CHECK(text == (i & 2 ? "halfhalf" : "complete"));
        }
    });
}

TEST_CASE("receive_many: a pool that goes too early is named") {
    const child_outcome child = in_child_process([] {
        run([]() -> task<> {
            connection ends = co_await connect_ends();
            std::optional<buffer_pool> pool(std::in_place, 4, 512);
            multishot_receive incoming = ends.here.receive_many(*pool);
            pool.reset();
        }());
    });
    CHECK(child.aborted);
    CHECK(child.said("was destroyed while 1 streams receive into it"));
}

TEST_CASE("receive_many: another pool follows the first") {
    run_clean([]() -> task<> {
        buffer_pool first(4, 512);
        buffer_pool second(4, 512);
        connection ends = co_await connect_ends();
        for (buffer_pool* const pool : {&first, &second, &first}) {
            multishot_receive incoming = ends.here.receive_many(*pool);
            send_raw(ends.there, "bytes");
            const buffer_lease bytes = co_await incoming.next();
            CHECK(text_of(bytes) == "bytes");
            CHECK(bytes.pool() == pool);
        }
    });
}

TEST_CASE("receive_many: without a free buffer it waits in the queue of the pool") {
    run_clean([]() -> task<> {
        buffer_pool pool(4, 512);
        connection ends = co_await connect_ends();
        multishot_receive incoming = ends.here.receive_many(pool);
        std::vector<buffer_lease> taken = all_of(pool);
        auto relief = [&]() -> task<> {
            co_await iterations();
            send_raw(ends.there, "bytes");
            co_await iterations();
            const std::string tree = to_string(inspect());
            CHECK(inspect().waiting_for("receive") == 1);
            CHECK(tree.find("no buffer is") != std::string::npos);
            taken.pop_back();
        };
        auto both = co_await when_all(incoming.next(), relief());
        CHECK(text_of(std::get<0>(both)) == "bytes");
        taken.clear();
        std::get<0>(both).reset();
        send_raw(ends.there, "again");
        const buffer_lease again = co_await incoming.next();
        CHECK(text_of(again) == "again");
    });
}

TEST_CASE("receive_many: cancelled or closed while it waits for a buffer") {
    run_clean([]() -> task<> {
        for (const bool close : {false, true}) {
            CAPTURE(close);
            buffer_pool pool(2, 512);
            connection ends = co_await connect_ends();
            multishot_receive incoming = ends.here.receive_many(pool);
            std::vector<buffer_lease> taken = all_of(pool);
            send_raw(ends.there, "bytes");
            std::optional<result<buffer_lease>> bytes;
            auto receiving = [&]() -> task<> { bytes = co_await as_result(incoming.next()); };
            auto body = [&](task_group& group) -> task<> {
                group.start(receiving);
                co_await iterations();
                CHECK_FALSE(bytes.has_value());
                if (close)
                    ends.here.close();
                else
                    group.cancel();
            };
            co_await with_task_group(body);
            CHECK(bytes->error() == std::errc::operation_canceled);
            taken.clear();
            if (close)
                continue;
            bytes = co_await as_result(incoming.next());
            CHECK(text_of(**bytes) == "bytes");
        }
    });
}

TEST_CASE("receive_many: more streams than buffers all come to their turn") {
    run_clean([]() -> task<> {
        buffer_pool pool(4, 512);
        std::vector<connection> pairs;
        for (int i = 0; i < 40; ++i)
            pairs.push_back(co_await connect_ends());
        const std::string sent = long_text(5000);
        int whole = 0;
        auto receiving = [&](connection& ends) -> task<> {
            multishot_receive incoming = ends.here.receive_many(pool);
            const std::string seen = co_await receive_text(incoming, sent.size());
            whole += seen == sent;
        };
        auto body = [&](task_group& group) -> task<> {
            for (connection& ends : pairs)
                group.start(receiving, std::ref(ends));
            co_await iterations();
            for (const connection& ends : pairs)
                send_raw(ends.there, sent);
        };
        co_await with_task_group(body);
        CHECK(whole == 40);
        check_returned(pool);
    });
}

TEST_CASE("receive_many: connections that are idle hold no buffer") {
    run_clean([]() -> task<> {
        buffer_pool pool(4, 512);
        std::vector<connection> pairs;
        for (int i = 0; i < 20; ++i)
            pairs.push_back(co_await connect_ends());
        int ended = 0;
        auto receiving = [&](connection& ends) -> task<> {
            multishot_receive incoming = ends.here.receive_many(pool);
            const buffer_lease end = co_await incoming.next();
            ended += !end;
        };
        auto body = [&](task_group& group) -> task<> {
            for (connection& ends : pairs)
                group.start(receiving, std::ref(ends));
            co_await iterations();
            CHECK(inspect().waiting_for("receive") == 20);
            check_returned(pool);
            buffer_lease spare = co_await pool.lease();
            CHECK(spare);
            for (connection& ends : pairs)
                ends.there.close();
        };
        co_await with_task_group(body);
        CHECK(ended == 20);
    });
}

TEST_CASE("receive_many: goes on after the completions have overflowed") {
    context_options smallest;
    smallest.ring_entries = 8; // and 128 completions
    run_clean(
        []() -> task<> {
            buffer_pool pool(400, 64);
            std::vector<connection> pairs;
            for (int i = 0; i < 150; ++i)
                pairs.push_back(co_await connect_ends());
            const std::string sent = long_text(640);
            int whole = 0;
            auto receiving = [&](connection& ends) -> task<> {
                multishot_receive incoming = ends.here.receive_many(pool);
                for (int round = 0; round < 3; ++round) {
                    const std::string seen = co_await receive_text(incoming, sent.size());
                    whole += seen == sent;
                }
            };
            auto body = [&](task_group& group) -> task<> {
                for (connection& ends : pairs)
                    group.start(receiving, std::ref(ends));
                for (int round = 0; round < 3; ++round) {
                    co_await iterations();
                    for (const connection& ends : pairs)
                        send_raw(ends.there, sent);
                }
            };
            co_await with_task_group(body);
            CHECK(whole == 450);
        },
        smallest);
}

TEST_CASE("receive_many: a pool may be used by one context after the other, with no complaint") {
    static int warnings = 0;
    const warning_handler before =
        set_warning_handler([](std::string_view) noexcept { ++warnings; });
    buffer_pool pool(4, 512);
    for (int i = 0; i < 2; ++i) {
        run_clean([&pool]() -> task<> {
            connection ends = co_await connect_ends();
            multishot_receive incoming = ends.here.receive_many(pool);
            send_raw(ends.there, "bytes");
            const buffer_lease bytes = co_await incoming.next();
            CHECK(text_of(bytes) == "bytes");
        });
        CHECK(pool.leased() == 0);
    }
    set_warning_handler(before);
    CHECK(warnings == 0); // what the kernel had at hand is not held by the program
}
