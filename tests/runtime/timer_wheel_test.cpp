// SPDX-License-Identifier: MIT
//
// The timer wheel against a sorted model, without a loop.
#include <algorithm>
#include <chrono>
#include <coracle/runtime/timer_wheel.hpp>
#include <cstdint>
#include <deque>
#include <doctest/doctest.h>
#include <map>
#include <random>
#include <vector>

using namespace coracle;
using namespace std::chrono_literals;

namespace {

constexpr time_point epoch{};

class recorded_timer final : public timer {
public:
    explicit recorded_timer(std::vector<recorded_timer*>& record) noexcept : record_(&record) {}

    using timer::disarm;

    time_point deadline; // which the wheel does not tell

private:
    void expired() noexcept override { record_->push_back(this); }

    std::vector<recorded_timer*>* record_;
};

/// One wheel and the model of what it should do, driven by a random sequence of calls.
class model_run {
public:
    explicit model_run(std::uint64_t seed) : random_(seed) {
        for (int i = 0; i < 200; ++i)
            timers_.emplace_back(expired_);
    }

    void step() {
        recorded_timer& chosen = timers_[random_() % timers_.size()];
        if (random_() % 4 == 0)
            advance();
        else if (armed(chosen))
            remove(chosen);
        else
            add(chosen);
        check_next();
    }

    void finish() {
        while (!model_.empty()) {
            // Jumping from one announced moment to the next must expire all, each exactly on time.
            advance_to(wheel_.next());
            check_next();
        }
        CHECK(wheel_.empty());
        CHECK(wheel_.next() == time_point::max());
    }

private:
    /// Delays of every magnitude, so that every level of the wheel is used; the sum of all stays
    /// below what the clock can say.
    std::chrono::nanoseconds random_delay() {
        const auto magnitude = static_cast<unsigned>(random_() % 56);
        return std::chrono::nanoseconds(
            static_cast<std::int64_t>(random_() % (std::uint64_t{1} << magnitude)));
    }

    void add(recorded_timer& added) {
        const bool in_the_past = random_() % 16 == 0;
        const time_point asked = in_the_past ? now_ - random_delay() : now_ + random_delay();
        wheel_.add(added, asked);
        added.deadline = std::max(asked, now_); // one that has passed expires at the present
        model_.emplace(added.deadline, &added);
    }

    bool armed(const recorded_timer& chosen) const {
        return std::ranges::any_of(model_,
                                   [&](const auto& each) { return each.second == &chosen; });
    }

    void remove(recorded_timer& removed) {
        removed.disarm();
        std::erase_if(model_, [&](const auto& each) { return each.second == &removed; });
    }

    void advance() {
        const bool exactly = !model_.empty() && random_() % 2 == 0;
        advance_to(exactly ? model_.begin()->first : now_ + random_delay() / 16);
    }

    void advance_to(time_point present) {
        REQUIRE(present >= now_);
        now_ = present;
        expired_.clear();
        wheel_.advance(now_);
        std::vector<recorded_timer*> wanted;
        while (!model_.empty() && model_.begin()->first <= now_) {
            wanted.push_back(model_.begin()->second);
            model_.erase(model_.begin());
        }
        const auto earlier = [](const recorded_timer* left, const recorded_timer* right) {
            return left->deadline < right->deadline;
        };
        CHECK(std::is_sorted(expired_.begin(), expired_.end(), earlier));
        std::sort(expired_.begin(), expired_.end());
        std::sort(wanted.begin(), wanted.end());
        CHECK(expired_ == wanted);
    }

    void check_next() {
        CHECK(wheel_.size() == model_.size());
        const time_point next = wheel_.next();
        if (model_.empty()) {
            CHECK(next == time_point::max());
        } else {
            CHECK(next <= model_.begin()->first);
            CHECK(next >= now_);
        }
    }

    std::mt19937_64 random_;
    timer_wheel wheel_;
    time_point now_ = epoch;
    std::vector<recorded_timer*> expired_;
    std::deque<recorded_timer> timers_;
    std::multimap<time_point, recorded_timer*> model_;
};

} // namespace

TEST_CASE("timers: they do what a sorted map does") {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        CAPTURE(seed);
        model_run run(seed);
        for (int step = 0; step < 500; ++step)
            run.step();
        run.finish();
    }
}

TEST_CASE("timers: each expires at its deadline, not a nanosecond before") {
    for (unsigned bit = 0; bit < 63; ++bit) {
        timer_wheel wheel;
        std::vector<recorded_timer*> expired;
        recorded_timer only(expired);
        const std::chrono::nanoseconds delay(std::int64_t{1} << bit);
        wheel.add(only, epoch + delay);
        wheel.advance(epoch + delay - 1ns);
        CHECK(expired.empty());
        wheel.advance(epoch + delay);
        CHECK(expired.size() == 1);
    }
}

TEST_CASE("timers: the last moment of the clock is a deadline like any other") {
    timer_wheel wheel;
    std::vector<recorded_timer*> expired;
    recorded_timer last(expired);
    wheel.add(last, time_point::max());
    CHECK(wheel.next() <= time_point::max());
    wheel.advance(time_point::max() - 1ns);
    CHECK(expired.empty());
    wheel.advance(time_point::max());
    CHECK(expired.size() == 1);
    CHECK(wheel.empty());
}

TEST_CASE("timers: before the clock's epoch is in the past") {
    timer_wheel wheel;
    std::vector<recorded_timer*> expired;
    recorded_timer early(expired);
    wheel.add(early, time_point::min());
    wheel.advance(epoch);
    CHECK(expired.size() == 1);
}

TEST_CASE("timers: one that expires may disarm another of the same moment") {
    class disarming final : public timer {
    public:
        explicit disarming(int& expiries) noexcept : expiries_(&expiries) {}

        void kills(disarming& other) noexcept { other_ = &other; }

    private:
        void expired() noexcept override {
            ++*expiries_;
            other_->disarm();
        }

        int* expiries_;
        disarming* other_ = nullptr;
    };

    timer_wheel wheel;
    int expiries = 0;
    disarming first(expiries);
    disarming second(expiries);
    first.kills(second);
    second.kills(first);
    wheel.add(first, epoch + 1h);
    wheel.add(second, epoch + 1h);
    wheel.advance(epoch + 2h);
    CHECK(expiries == 1);
    CHECK(wheel.empty());
}

TEST_CASE("timers: one that is destroyed leaves the wheel") {
    timer_wheel wheel;
    std::vector<recorded_timer*> expired;
    {
        recorded_timer brief(expired);
        wheel.add(brief, epoch + 1ms);
        CHECK(wheel.size() == 1);
    }
    CHECK(wheel.empty());
    wheel.advance(epoch + 1s);
    CHECK(expired.empty());
}

TEST_CASE("timers: a hundred thousand pending expire in order, and next() is late for none") {
    timer_wheel wheel;
    std::vector<recorded_timer*> expired;
    std::deque<recorded_timer> pending;
    std::mt19937_64 random(7);
    for (int i = 0; i < 100'000; ++i) {
        recorded_timer& added = pending.emplace_back(expired);
        added.deadline = epoch + std::chrono::nanoseconds(random() % 3'600'000'000'000);
        wheel.add(added, added.deadline);
    }
    CHECK(wheel.size() == 100'000);
    int early = 0;
    while (!wheel.empty()) {
        const time_point next = wheel.next();
        const std::size_t before = expired.size();
        wheel.advance(next);
        for (std::size_t i = before; i < expired.size(); ++i)
            early += expired[i]->deadline != next;
    }
    CHECK(early == 0);
    CHECK(expired.size() == 100'000);
}
