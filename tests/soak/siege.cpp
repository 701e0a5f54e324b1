// SPDX-License-Identifier: MIT
#include "siege.hpp"

#include "trend.hpp"
#include <algorithm>
#include <array>
#include <cstdio>
#include <deque>
#include <optional>
#include <span>
#include <system_error>
#include <utility>

namespace soak {

namespace {

using namespace coracle;
using namespace std::chrono_literals;

/// For the server to do what is asked of it. Far more than it needs, under valgrind too.
constexpr auto guard = 40s;

/// The server may report for the first time before it has begun to listen; what it is before the
/// first visit is its second report.
constexpr std::size_t samples_before = 2;

std::string round_text(double number) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.0f", number);
    return text.data();
}

bool is_of_tool(std::string_view line) {
    return line.starts_with("--") || line.starts_with("heaptrack stats:") || line.starts_with('\t');
}

} // namespace

siege::siege(const plan& chosen) : plan_(chosen), server_(chosen.command) {}

task<> siege::run() {
    auto all = [this](task_group& readers) -> task<> {
        readers.start(read_output(server_.take_output()));
        readers.start(read_errors(server_.take_errors()));
        co_await wait_until(listening_, "say where it listens");
        if (listening_.is_set())
            co_await besiege();
        co_await end_server();
        readers.cancel();
    };
    co_await with_task_group(all);
}

task<> siege::besiege() {
    if (watches())
        co_await wait_until(ready_, "report what it uses");
    const usage_report before = usage();
    const result<void> populated = co_await as_result(with_timeout(plan_.length, populate()));
    if (populated.error() != std::errc::timed_out)
        findings_.push_back("the population gave up: " + populated.error().message());
    siege_samples_ = samples_.size();
    if (seen_.all_visits() == 0)
        findings_.emplace_back("there was not one visit");
    // The population's own side. Sockets are closed a turn or a few after they were let go.
    for (int left = 1000; left > 0 && usage().sockets != before.sockets; --left)
        co_await sleep_for(1ms);
    if (usage().sockets != before.sockets || usage().live_frames != before.live_frames)
        findings_.push_back("the population itself has left something: " + to_json(usage()));
    if (watches()) {
        co_await wait_until(as_before_, "be as it was before the first visit");
        judge_end();
        judge_growth();
        judge_hostility();
    }
    co_await visit_last();
}

task<> siege::populate() {
    std::deque<visitor> visitors;
    auto everybody = [&](task_group& jobs) -> task<> {
        for (std::size_t i = 0; i < plan_.visitors; ++i) {
            const auto seed = static_cast<std::uint32_t>(plan_.seed * 10'000 + i);
            jobs.start(visitors.emplace_back(address_, seed, seen_).live());
        }
        co_await jobs.wait_for_others();
    };
    co_await with_task_group(everybody);
}

/// Any answer will do: of a chat a welcome, of an echo the same.
task<> siege::visit_last() {
    auto visit = [this]() -> task<> {
        tcp_stream peer = co_await tcp_stream::connect(address_);
        co_await peer.write("/quit\n");
        line_reader lines(peer);
        const std::optional<std::string_view> answer = co_await lines.next();
        if (!answer)
            throw std::system_error(std::make_error_code(std::errc::no_message));
    };
    const result<void> visited = co_await as_result(with_timeout(guard, visit()));
    if (!visited)
        findings_.push_back("the last visitor was not served: " + visited.error().message());
}

task<> siege::wait_until(event& awaited, std::string_view what) {
    auto wait = [](event& one) -> task<> { co_await one.wait(); };
    auto either = [this, &awaited, &wait]() -> task<> {
        co_await when_any(wait(awaited), wait(output_ended_));
    };
    const result<void> waited = co_await as_result(with_timeout(guard, either()));
    if (!waited || !awaited.is_set())
        findings_.push_back("the server did not " + std::string(what));
}

/// Asks as Ctrl-C does, and knocks once: valgrind 3.19 hands a signal over only after the call that
/// the server waits in has returned.
task<> siege::end_server() {
    server_.interrupt();
    if (listening_.is_set()) {
        [[maybe_unused]] const result<tcp_stream> knock =
            co_await as_result(with_timeout(guard, tcp_stream::connect(address_)));
    }
    co_await wait_until(output_ended_, "end when it was asked to");
    if (!output_ended_.is_set())
        co_return; // server_process ends it
    const int code = server_.exit_code();
    if (code != 0)
        findings_.push_back("the server's exit code is " + std::to_string(code));
}

task<> siege::read_output(tcp_stream output) {
    line_reader lines(output);
    for (;;) {
        const std::optional<std::string_view> line = co_await lines.next();
        if (!line)
            break;
        constexpr std::string_view mark = "listening on ";
        const std::size_t found = line->find(mark);
        if (const std::optional<sample> report = parse_report(*line); report) {
            take(*report);
        } else if (found != std::string_view::npos) {
            address_ = address::parse(line->substr(found + mark.size()));
            listening_.set();
        }
    }
    output_ended_.set();
}

/// A server in order has nothing to say here. Tools have: heaptrack its totals, valgrind what calls
/// it does not know. What valgrind finds begins with equals signs, and counts.
task<> siege::read_errors(tcp_stream errors) {
    line_reader lines(errors);
    for (;;) {
        const std::optional<std::string_view> line = co_await lines.next();
        if (!line)
            co_return;
        if (!is_of_tool(*line))
            findings_.push_back("the server said: " + std::string(*line));
    }
}

void siege::take(sample report) {
    if (samples_.empty())
        began_ = clock::now();
    report.age_s = std::chrono::duration<double>(clock::now() - began_).count();
    report.visits = static_cast<double>(seen_.all_visits());
    report.descriptors = static_cast<double>(server_.descriptors());
    samples_.push_back(report);
    if (samples_.size() < samples_before)
        return;
    ready_.set();
    if (is_as_before(report))
        as_before_.set();
    else
        as_before_.reset();
}

bool siege::is_as_before(const sample& report) const noexcept {
    return std::all_of(quantities.begin(), quantities.end(), [&](const quantity& each) {
        return !each.returns_to_its_own ||
               report.*each.value == samples_[samples_before - 1].*each.value;
    });
}

void siege::judge_end() {
    for (const quantity& each : quantities) {
        const double first = samples_[samples_before - 1].*each.value;
        const double last = samples_.back().*each.value;
        if (each.returns_to_its_own && first != last) {
            findings_.push_back(std::string(each.name) + ": " + round_text(last) +
                                " at the end, and not " + round_text(first) + " as before");
        }
    }
}

/// Of the second half only: what a server warms up by is no growth.
void siege::judge_growth() {
    const std::size_t half = siege_samples_ / 2;
    if (siege_samples_ - half < 5)
        return findings_.push_back("there are too few samples to tell");
    const std::span<const sample> judged =
        std::span<const sample>(samples_).subspan(half, siege_samples_ - half);
    std::vector<double> times;
    for (const sample& each : judged)
        times.push_back(each.age_s);
    const double visits = judged.back().visits - judged.front().visits;
    std::printf("soak: growth in the second half, over %.0f s and %.0f visits\n",
                times.back() - times.front(), visits);
    for (const quantity& each : quantities) {
        std::vector<double> values;
        for (const sample& one : judged)
            values.push_back(one.*each.value);
        const trend seen = trend_of(times, values);
        const bool growing = is_growing(seen, each.granule);
        std::printf("  %-15s %12.1f of noise %10.1f  %s\n", std::string(each.name).c_str(),
                    seen.growth, seen.noise, growing ? "GROWS" : "steady");
        if (growing) {
            findings_.push_back(std::string(each.name) + " grows: by " + round_text(seen.growth) +
                                " in " + round_text(visits) + " visits");
        }
    }
}

/// A population that did not do its worst proves nothing.
void siege::judge_hostility() {
    const std::array<std::pair<std::string_view, std::size_t>, 5> wanted = {{
        {"was greeted", seen_.greeted},
        {"was refused for want of room", seen_.refused},
        {"sent a line that was too long", seen_.left_out},
        {"was silent for too long", seen_.sent_silent},
        {"was too slow to read", seen_.sent_too_slow},
    }};
    for (std::size_t i = 0; i < conduct_names.size(); ++i) {
        if (seen_.visits[i] == 0)
            findings_.push_back("no visitor did this: " + std::string(conduct_names[i]));
    }
    for (const auto& [what, count] : wanted) {
        if (count == 0)
            findings_.push_back("nobody " + std::string(what));
    }
}

} // namespace soak
