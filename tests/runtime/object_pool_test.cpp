// SPDX-License-Identifier: MIT
//
// object_pool: an id finds its object or nothing, an object stays where it is, and all is given
// back.

#include "child_process.hpp"

#include <array>
#include <coracle/memory/sanitize.hpp>
#include <coracle/runtime/diagnostics/usage.hpp>
#include <coracle/runtime/object_pool.hpp>
#include <cstdint>
#include <deque>
#include <doctest/doctest.h>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

using namespace coracle;
using namespace coracle::test;

namespace {

/// What can be neither copied nor moved, and counts itself.
class boat {
public:
    explicit boat(int number, int* alive = nullptr) noexcept : number_(number), alive_(alive) {
        if (alive_)
            ++*alive_;
    }

    ~boat() {
        if (alive_)
            --*alive_;
    }

    boat(const boat&) = delete;
    boat& operator=(const boat&) = delete;

    [[nodiscard]] int number() const noexcept { return number_; }

private:
    int number_;
    int* alive_;
};

object_handle<boat> make_boat(object_pool<boat>& pool, int number, int* alive = nullptr) {
    return pool.make([&] { return boat(number, alive); });
}

std::vector<int> numbers_in(const object_pool<boat>& pool) {
    std::vector<int> numbers;
    for (const boat& each : pool)
        numbers.push_back(each.number());
    return numbers;
}

} // namespace

TEST_CASE("object_pool: an object lives as long as its handle") {
    int alive = 0;
    object_pool<boat> pool;
    CHECK(pool.empty());
    {
        object_handle<boat> handle = make_boat(pool, 7, &alive);
        CHECK(handle);
        CHECK(handle->number() == 7);
        CHECK((*handle).number() == 7);
        CHECK(alive == 1);
        object_handle<boat> other = std::move(handle);
        CHECK_FALSE(handle); // NOLINT(bugprone-use-after-move): that it is empty is what is tested
        CHECK_FALSE(handle.id());
        CHECK(other->number() == 7);
        other = make_boat(pool, 8, &alive);
        CHECK(alive == 1);
        CHECK(pool.size() == 1);
    }
    CHECK(alive == 0);
    CHECK(pool.empty());
}

TEST_CASE("object_pool: an id finds its object, and nothing once that has ended") {
    object_pool<boat> pool;
    object_handle<boat> first = make_boat(pool, 1);
    const object_id id = first.id();
    CHECK(id);
    CHECK(pool.find(id) == first.get());
    const boat* const address = first.get();
    first.reset();
    CHECK(pool.find(id) == nullptr);

    const object_handle<boat> second = make_boat(pool, 2);
    REQUIRE(second.get() == address); // the same slot
    CHECK(second.id().slot == id.slot);
    CHECK(second.id() != id);
    CHECK(pool.find(id) == nullptr);
    CHECK(pool.find(second.id()) == second.get());

    CHECK(pool.find(object_id()) == nullptr);
    CHECK(pool.find(object_id{second.id().generation, 1'000'000}) == nullptr);
    CHECK(pool.find(object_id{0, second.id().slot}) == nullptr);
}

TEST_CASE("object_pool: ids of ended objects find nothing, after any number of others") {
    object_pool<boat> pool;
    std::mt19937 random(4);
    std::deque<object_handle<boat>> alive;
    std::vector<object_id> ended;
    for (int round = 0; round < 20'000; ++round) {
        if (alive.size() < 200 && random() % 2 == 0) {
            alive.push_back(make_boat(pool, round));
        } else if (!alive.empty()) {
            std::swap(alive[random() % alive.size()], alive.back());
            ended.push_back(alive.back().id());
            alive.pop_back();
        }
    }
    for (const object_id& each : ended)
        CHECK(pool.find(each) == nullptr);
    for (const object_handle<boat>& each : alive)
        CHECK(pool.find(each.id()) == each.get());
    CHECK(pool.size() == alive.size());
}

TEST_CASE("object_pool: objects stay where they are while others come") {
    object_pool<boat> pool;
    std::vector<object_handle<boat>> handles;
    std::vector<const boat*> addresses;
    for (int i = 0; i < 1000; ++i) {
        handles.push_back(make_boat(pool, i));
        addresses.push_back(handles.back().get());
    }
    for (int i = 0; i < 1000; ++i) {
        const auto index = static_cast<std::size_t>(i);
        CHECK(handles[index].get() == addresses[index]);
        CHECK(addresses[index]->number() == i);
    }
}

TEST_CASE("object_pool: they are gone over in the order in which they were made") {
    object_pool<boat> pool;
    CHECK(numbers_in(pool).empty());
    std::vector<object_handle<boat>> handles;
    for (int i = 0; i < 5; ++i)
        handles.push_back(make_boat(pool, i));
    handles[0].reset();
    handles[2].reset();
    handles[4].reset();
    CHECK(numbers_in(pool) == std::vector<int>{1, 3});
    handles[0] = make_boat(pool, 5); // into the slot of an older one
    CHECK(numbers_in(pool) == std::vector<int>{1, 3, 5});
    CHECK(pool.begin().id() == handles[1].id());
}

TEST_CASE("object_pool: a full one says so, and has a free slot again when one goes") {
    object_pool<boat> pool(2);
    CHECK(pool.max_size() == 2);
    object_handle<boat> first = make_boat(pool, 1);
    CHECK_FALSE(pool.full());
    const object_handle<boat> second = make_boat(pool, 2);
    CHECK(pool.full());
    CHECK_THROWS_WITH_AS(static_cast<void>(make_boat(pool, 3)),
                         "an object_pool is full, with 2 objects", std::length_error);
    first.reset();
    CHECK(make_boat(pool, 3)->number() == 3);
}

TEST_CASE("object_pool: what cannot be made leaves its slot free") {
    object_pool<boat> pool(1);
    for (int i = 0; i < 3; ++i) {
        CHECK_THROWS_WITH_AS(
            static_cast<void>(pool.make([]() -> boat { throw std::runtime_error("no wood"); })),
            "no wood", std::runtime_error);
        CHECK(pool.empty());
        CHECK(numbers_in(pool).empty());
    }
    CHECK(make_boat(pool, 1));
}

TEST_CASE("object_pool: an object that is being made or ended cannot be found") {
    struct curious {
        curious(object_pool<curious>& in, object_id& known, bool& found) noexcept
            : pool(&in), id(&known), found_at_end(&found) {}

        ~curious() { *found_at_end = pool->find(*id) != nullptr; }

        object_pool<curious>* pool;
        object_id* id;
        bool* found_at_end;
    };

    object_pool<curious> pool;
    object_id id;
    bool found = true;
    {
        const auto handle = pool.make([&] {
            CHECK(pool.size() == 1);
            CHECK(pool.begin() == pool.end());
            return curious(pool, id, found);
        });
        id = handle.id();
        CHECK(pool.find(id) == handle.get());
    }
    CHECK_FALSE(found);
}

TEST_CASE("object_pool: one that is made while another one is made has a slot of its own") {
    object_pool<boat> pool;
    object_handle<boat> inner;
    const object_handle<boat> outer = pool.make([&] {
        inner = make_boat(pool, 1);
        return boat(2);
    });
    CHECK(inner.get() != outer.get());
    CHECK(numbers_in(pool) == std::vector<int>{1, 2});
}

TEST_CASE("object_pool: slots are used again, so that memory is that of the most at a time") {
    object_pool<std::array<std::byte, 4096>> pool;
    const auto make = [&] { return pool.make([] { return std::array<std::byte, 4096>(); }); };
    std::vector<object_handle<std::array<std::byte, 4096>>> handles;
    for (int i = 0; i < 100; ++i)
        handles.push_back(make());
    handles.clear();
    const std::size_t before = usage().resident_bytes;
    for (int i = 0; i < 100'000; ++i)
        static_cast<void>(make());
    CHECK(usage().resident_bytes <= before + (1U << 20));
}

TEST_CASE("object_pool: its objects are listed among what is held, and counted by usage") {
    const std::size_t before = usage().objects;
    object_pool<boat> pool;
    CHECK(detail::leaks_of_this_thread().empty());
    const unsigned line = __LINE__ + 1;
    const object_handle<boat> handle = pool.make([] { return boat(1); });
    CHECK(usage().objects == before + 1);
    const std::vector<leak> held = detail::leaks_of_this_thread();
    REQUIRE(held.size() == 1);
    CHECK(held[0].kind == "object of an object_pool");
    CHECK(held[0].detail == "number 1");
    if (detail::inspectable)
        CHECK(held[0].where.where().line() == line);
}

namespace {

std::optional<object_pool<boat>> outlived;
std::vector<object_handle<boat>> kept;
unsigned line_of_pool = 0;
unsigned line_of_object = 0;

void make_pool() {
    line_of_pool = __LINE__ + 1;
    outlived.emplace(8, creation_site());
}

void make_two() {
    for (int i = 0; i < 2; ++i) {
        line_of_object = __LINE__ + 1;
        kept.push_back(outlived->make([&] { return boat(i); }));
    }
}

} // namespace

TEST_CASE("object_pool: handles that outlive it are named with where they were made") {
    make_pool();
    make_two();
    const child_outcome outcome = in_child_process([] { outlived.reset(); });
    CHECK(outcome.aborted);
    CHECK(outcome.said("coracle: fatal: an object_pool, made in "));
    CHECK(outcome.said(", was destroyed with 2 objects in it: 2 made in "));
    if (detail::inspectable) {
        CHECK(outcome.said("make_pool() (object_pool_test.cpp:" + std::to_string(line_of_pool)));
        CHECK(outcome.said("make_two() (object_pool_test.cpp:" + std::to_string(line_of_object)));
    }
    kept.clear();
    outlived.reset();
}

#if defined(CORACLE_ADDRESS_SANITIZER)
TEST_CASE("object_pool: the address sanitizer sees a use of an object that has ended") {
    const child_outcome outcome = in_child_process([] {
        object_pool<boat> pool;
        object_handle<boat> handle = make_boat(pool, 1);
        const boat* volatile dangling = handle.get();
        handle.reset();
        std::fprintf(stderr, "%d\n", dangling->number());
    });
    CHECK_FALSE(outcome.succeeded);
    CHECK(outcome.said("use-after-poison"));
}
#endif
