// SPDX-License-Identifier: MIT
//
// leaks, creation site and gauge: what is held is listed with where it was made, and counted.

#include <coracle/runtime/diagnostics/gauge.hpp>
#include <coracle/runtime/diagnostics/leaks.hpp>
#include <coracle/runtime/diagnostics/usage.hpp>
#include <doctest/doctest.h>
#include <memory>
#include <optional>
#include <string_view>
#include <thread>

using namespace coracle;

namespace {

/// Hands out one thing at most.
class lemon_pool final : detail::leak_source {
public:
    void take(creation_site where = {}) {
        taken_ = where;
        leases_.add();
    }

    void give_back() {
        taken_.reset();
        leases_.subtract();
    }

    void list_leaks(std::vector<leak>& to) const override {
        if (taken_)
            to.push_back({"lemon", "the yellow one", *taken_});
    }

private:
    std::optional<creation_site> taken_;
    detail::gauge leases_{detail::gauge_kind::leases};
};

} // namespace

TEST_CASE("leaks: what is out is listed, for as long as it is out") {
    CHECK(detail::leaks_of_this_thread().empty());
    lemon_pool first;
    lemon_pool second;
    const unsigned line_of_take = __LINE__ + 1;
    first.take();
    {
        const lemon_pool third;
        const std::vector<leak> held = detail::leaks_of_this_thread();
        REQUIRE(held.size() == 1);
        CHECK(held[0].kind == "lemon");
        CHECK(held[0].detail == "the yellow one");
        CHECK(held[0].where.job() == nullptr);
        if (detail::inspectable) {
            CHECK(held[0].where.where().line() == line_of_take);
            CHECK(std::string_view(held[0].where.where().file_name()).ends_with("leaks_test.cpp"));
        }
    }
    second.take();
    CHECK(detail::leaks_of_this_thread().size() == 2);
    first.give_back();
    second.give_back();
    CHECK(detail::leaks_of_this_thread().empty());
}

TEST_CASE("leaks: each thread has its own") {
    lemon_pool here;
    here.take();
    std::thread([] {
        CHECK(detail::leaks_of_this_thread().empty());
        lemon_pool there;
        there.take();
        CHECK(detail::leaks_of_this_thread().size() == 1);
        there.give_back();
    }).join();
    CHECK(detail::leaks_of_this_thread().size() == 1);
    here.give_back();
}

TEST_CASE("leaks: a source may outlive its thread, and be destroyed on another one") {
    std::unique_ptr<lemon_pool> orphan;
    std::thread([&] {
        orphan = std::make_unique<lemon_pool>();
        orphan->take();
    }).join();
    // The next thread has its thread_locals where the first one had them.
    std::thread([&] {
        CHECK(detail::leaks_of_this_thread().empty());
        lemon_pool here;
        here.take();
        CHECK(detail::leaks_of_this_thread().size() == 1);
        orphan->give_back();
        orphan.reset();
        CHECK(detail::leaks_of_this_thread().size() == 1);
        here.give_back();
    }).join();
}

TEST_CASE("leaks: a creation site knows the job that runs") {
    detail::job_name name{"lemonade"};
    detail::this_thread.running_job = &name;
    const creation_site where;
    detail::this_thread.running_job = nullptr;
    if (detail::inspectable)
        CHECK(std::string_view(where.job()) == "lemonade");
    else
        CHECK(where.job() == nullptr);
}

TEST_CASE("gauge: usage can be read while another thread counts") {
    const std::size_t before = detail::sum_of(detail::gauge_kind::leases);
    lemon_pool here;
    here.take();
    CHECK(detail::sum_of(detail::gauge_kind::leases) == before + 1);
    std::thread other([] {
        lemon_pool there;
        for (int i = 0; i < 1000; ++i) {
            there.take();
            there.give_back();
        }
    });
    for (int i = 0; i < 100; ++i) {
        const std::size_t seen = detail::sum_of(detail::gauge_kind::leases);
        CHECK(seen >= before + 1);
        CHECK(seen <= before + 2);
    }
    other.join();
    here.give_back();
    CHECK(detail::sum_of(detail::gauge_kind::leases) == before);
}
