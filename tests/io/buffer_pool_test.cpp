// SPDX-License-Identifier: MIT
//
// buffer_pool: what leases are of, that they give it back, and what becomes of those that do not.

#include "child_process.hpp"

#include <algorithm>
#include <coracle/io/buffer_pool.hpp>
#include <coracle/memory/sanitize.hpp>
#include <coracle/runtime/diagnostics/usage.hpp>
#include <cstdint>
#include <doctest/doctest.h>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>

using namespace coracle;
using namespace coracle::test;

namespace {

/// Waits for a buffer, and keeps or drops what it is given.
class waiter final : public buffer_waiter {
public:
    explicit waiter(std::vector<const waiter*>& order, bool keeps = true)
        : buffer_waiter(creation_site()), keeps_(keeps), order_(&order) {}

    void on_buffer(buffer_lease given) noexcept override {
        order_->push_back(this);
        if (keeps_)
            lease = std::move(given);
    }

    buffer_lease lease;

private:
    bool keeps_;
    std::vector<const waiter*>* order_;
};

std::uintptr_t address_of(const void* data) {
    return reinterpret_cast<std::uintptr_t>(data);
}

} // namespace

TEST_CASE("buffer_pool: its buffers are distinct, aligned, and as large as asked for") {
    buffer_pool pool(5, 1000);
    CHECK(pool.size() == 5);
    CHECK(pool.buffer_bytes() == 1024);
    CHECK(pool.region().size() == 5 * 1024);
    std::vector<buffer_lease> leases;
    std::set<std::byte*> addresses;
    for (int i = 0; i < 5; ++i) {
        buffer_lease lease = pool.try_lease();
        REQUIRE(lease);
        CHECK(lease.size() == 1024);
        CHECK(lease.capacity() == 1024);
        CHECK(lease.pool() == &pool);
        CHECK(address_of(lease.data()) % 64 == 0);
        CHECK(lease.data() == pool.region().data() + lease.offset());
        CHECK(lease.offset() == lease.index() * pool.buffer_bytes());
        std::fill(lease.begin(), lease.end(), std::byte{0xff});
        addresses.insert(lease.data());
        leases.push_back(std::move(lease));
    }
    CHECK(addresses.size() == 5);
    CHECK(pool.leased() == 5);
    CHECK(pool.available() == 0);
    CHECK_FALSE(pool.try_lease());
    leases.pop_back();
    CHECK(pool.available() == 1);
    CHECK(pool.try_lease());
}

TEST_CASE("buffer_pool: buffers of whole pages begin with a page") {
    buffer_pool pool(3, 4096);
    const buffer_lease first = pool.try_lease();
    const buffer_lease second = pool.try_lease();
    CHECK(address_of(first.data()) % 4096 == 0);
    CHECK(address_of(second.data()) % 4096 == 0);
}

TEST_CASE("buffer_pool: a lease moves, and gives its buffer back once") {
    buffer_pool pool(2, 64);
    buffer_lease lease = pool.try_lease();
    std::byte* const data = lease.data();
    buffer_lease other = std::move(lease);
    CHECK_FALSE(lease); // NOLINT(bugprone-use-after-move): that it is empty is what is tested
    CHECK(lease.size() == 0);
    CHECK(lease.capacity() == 0);
    CHECK(other.data() == data);
    CHECK(pool.leased() == 1);
    other = pool.try_lease();
    CHECK(pool.leased() == 1);
    CHECK(other.data() != data);
    other.reset();
    other.reset();
    CHECK(pool.leased() == 0);
    CHECK(pool.try_lease().data() != nullptr);
    CHECK(pool.leased() == 0);
}

TEST_CASE("buffer_pool: the part of a buffer that is used can be told") {
    buffer_pool pool(1, 128);
    buffer_lease lease = pool.try_lease();
    lease.resize(0);
    CHECK(lease.empty());
    lease.resize(128);
    CHECK(lease.end() - lease.begin() == 128);
    CHECK_THROWS_WITH_AS(lease.resize(129), "a buffer of 128 bytes cannot hold 129",
                         std::length_error);
    lease.resize(7);
    buffer_lease moved = std::move(lease);
    CHECK(moved.size() == 7);
    moved.reset();
    CHECK(pool.try_lease().size() == 128);
}

TEST_CASE("buffer_pool: a size that makes no sense is refused") {
    CHECK_THROWS_AS(buffer_pool(0, 64), std::invalid_argument);
    CHECK_THROWS_AS(buffer_pool(64, 0), std::invalid_argument);
    CHECK_THROWS_AS(buffer_pool(std::size_t{1} << 40, 64), std::invalid_argument);
    CHECK_THROWS_AS(buffer_pool(1024, ~std::size_t{0} / 1024), std::invalid_argument);
}

TEST_CASE("buffer_pool: what comes back goes to the one who has waited longest") {
    buffer_pool pool(1, 64);
    std::vector<const waiter*> order;
    waiter first(order);
    waiter second(order);
    waiter third(order);
    buffer_lease lease = pool.try_lease();
    pool.wait(first);
    pool.wait(second);
    pool.wait(third);
    pool.stop_waiting(second);
    CHECK(order.empty());
    lease.reset();
    CHECK(order == std::vector<const waiter*>{&first});
    CHECK_FALSE(pool.try_lease()); // nobody overtakes
    CHECK(pool.leased() == 1);
    first.lease.reset();
    CHECK(order == std::vector<const waiter*>{&first, &third});
    third.lease.reset();
    CHECK(pool.leased() == 0);
}

TEST_CASE("buffer_pool: what a waiter does not want goes to the next one") {
    buffer_pool pool(1, 64);
    std::vector<const waiter*> order;
    waiter first(order, false);
    waiter second(order);
    buffer_lease lease = pool.try_lease();
    pool.wait(first);
    pool.wait(second);
    lease.reset();
    CHECK(order == std::vector<const waiter*>{&first, &second});
    CHECK(second.lease);
}

namespace {

std::optional<buffer_pool> outlived;
std::vector<buffer_lease> kept;
std::string place_made;
std::string place_taken_twice;
std::string place_taken_once;

void make_pool() {
    place_made = "void (anonymous namespace)::make_pool() (buffer_pool_test.cpp:" +
                 std::to_string(__LINE__ + 1) + ")";
    outlived.emplace(8, 64, registration::where_useful, creation_site());
}

void take_two() {
    for (int i = 0; i < 2; ++i) {
        place_taken_twice = "void (anonymous namespace)::take_two() (buffer_pool_test.cpp:" +
                            std::to_string(__LINE__ + 1) + ")";
        kept.push_back(outlived->try_lease());
    }
}

void take_one() {
    place_taken_once = "void (anonymous namespace)::take_one() (buffer_pool_test.cpp:" +
                       std::to_string(__LINE__ + 1) + ")";
    kept.push_back(outlived->try_lease());
}

/// Compilers differ in what they call a namespace without a name.
std::string without_namespaces(std::string text) {
    for (const std::string_view name : {"(anonymous namespace)::", "{anonymous}::"}) {
        for (std::size_t at = 0; (at = text.find(name)) != std::string::npos;)
            text.erase(at, name.size());
    }
    return text;
}

} // namespace

TEST_CASE("buffer_pool: leases that outlive it are named with where they were taken") {
    make_pool();
    const auto end_too_early = [] {
        take_one();
        take_two();
        outlived.reset();
    };
    const child_outcome outcome = in_child_process(end_too_early);
    take_one();
    take_two();
    CHECK(outcome.aborted);
    CHECK(outcome.said("was destroyed with 3 of its 8 buffers leased: "));
    if (detail::inspectable)
        CHECK(without_namespaces(outcome.error_output) ==
              without_namespaces("coracle: fatal: a buffer_pool, made in " + place_made +
                                 ", was destroyed with 3 of its 8 buffers leased: 1 taken in " +
                                 place_taken_once + ", 2 taken in " + place_taken_twice + "\n"));
    kept.clear();
    outlived.reset();
}

TEST_CASE("buffer_pool: its leases are listed among what is held, and counted by usage") {
    const std::size_t before = usage().leases;
    buffer_pool pool(4, 64);
    CHECK(detail::leaks_of_this_thread().empty());
    const buffer_lease first = pool.try_lease();
    const unsigned line = __LINE__ + 1;
    const buffer_lease second = pool.try_lease();
    CHECK(usage().leases == before + 2);
    const std::vector<leak> held = detail::leaks_of_this_thread();
    REQUIRE(held.size() == 2);
    CHECK(held[1].kind == "lease of a buffer_pool");
    CHECK(held[1].detail == "buffer 1");
    if (detail::inspectable)
        CHECK(held[1].where.where().line() == line);
}

TEST_CASE("buffer_pool: it does not go while somebody waits") {
    const child_outcome outcome = in_child_process([] {
        std::vector<const waiter*> order;
        waiter waiting(order);
        buffer_pool pool(1, 64);
        pool.wait(waiting);
    });
    CHECK(outcome.aborted);
    CHECK(outcome.said("a buffer_pool was destroyed while somebody waits for a buffer of it"));
}

#if defined(CORACLE_ADDRESS_SANITIZER)
TEST_CASE("buffer_pool: the address sanitizer sees a use of a buffer that was given back") {
    const child_outcome outcome = in_child_process([] {
        buffer_pool pool(2, 64);
        volatile std::byte* data = nullptr;
        {
            const buffer_lease lease = pool.try_lease();
            data = lease.data();
            data[0] = std::byte{1};
        }
        data[0] = std::byte{2};
    });
    CHECK_FALSE(outcome.succeeded);
    CHECK(outcome.said("use-after-poison"));
}
#endif
