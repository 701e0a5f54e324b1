// SPDX-License-Identifier: MIT
#include "load.hpp"

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
using namespace std::string_view_literals;

/// The limit for each wait: far more than the server needs, even under valgrind.
constexpr auto guard = 40s;

/// The first report may come before the server listens, so the second one is the initial state.
constexpr std::size_t samples_before = 2;

std::string round_text(double number) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.0f", number);
    return text.data();
}

bool is_from_tool(std::string_view line) {
    return line.starts_with("--") || line.starts_with("heaptrack stats:") || line.starts_with('\t');
}

/// The echo server's warning of a session that one of our resets has ended.
bool is_reset_warning(std::string_view line) {
    return line.starts_with("coracle: a job failed, ") &&
           (line.ends_with(std::make_error_code(std::errc::connection_reset).message()) ||
            line.ends_with(std::make_error_code(std::errc::broken_pipe).message()));
}

} // namespace

load::load(const plan& chosen) : plan_(chosen), server_(chosen.command) {}

task<> load::run() {
    auto all = [this](task_group& readers) -> task<> {
        readers.start(read_output(server_.take_output()));
        readers.start(read_errors(server_.take_errors()));
        co_await wait_until(listening_, "say where it listens");
        if (listening_.is_set())
            co_await load_server();
        co_await end_server();
        readers.cancel();
    };
    co_await with_task_group(all);
}

task<> load::load_server() {
    if (has_samples())
        co_await wait_until(ready_, "report its usage");
    const usage_report before = usage();
    const result<void> ended = co_await as_result(with_timeout(plan_.length, run_clients()));
    if (ended.error() != std::errc::timed_out)
        failures_.push_back("the clients ended: " + ended.error().message());
    load_samples_ = samples_.size();
    if (counts_.all_connections() == 0)
        failures_.emplace_back("there was not one connection");
    // Our own side. Sockets are closed a few iterations after they were released.
    for (int left = 1000; left > 0 && usage().sockets != before.sockets; --left)
        co_await sleep_for(1ms);
    if (usage().sockets != before.sockets || usage().live_frames != before.live_frames)
        failures_.push_back("the clients themselves have leaked something: " + to_json(usage()));
    if (has_samples()) {
        co_await wait_until(as_before_, "return to its initial state");
        check_end();
        check_growth();
        check_hostility();
    }
    co_await connect_last();
}

task<> load::run_clients() {
    std::deque<client> clients;
    auto all = [&](task_group& jobs) -> task<> {
        for (std::size_t i = 0; i < plan_.clients; ++i) {
            const auto seed = static_cast<std::uint32_t>(plan_.seed * 10'000 + i);
            jobs.start(clients.emplace_back(address_, seed, counts_).run());
        }
        co_await jobs.wait_for_others();
    };
    co_await with_task_group(all);
}

/// Any line will do: the chat's welcome, or what the echo server sends back.
task<> load::connect_last() {
    auto connect = [this]() -> task<> {
        tcp_stream peer = co_await tcp_stream::connect(address_);
        co_await peer.write("/quit\n"sv);
        line_reader lines(peer);
        const std::optional<std::string_view> answer = co_await lines.next();
        if (!answer)
            throw std::system_error(std::make_error_code(std::errc::no_message));
    };
    const result<void> served = co_await as_result(with_timeout(guard, connect()));
    if (!served)
        failures_.push_back("the last client was not served: " + served.error().message());
}

task<> load::wait_until(event& awaited, std::string_view what) {
    auto wait = [](event& one) -> task<> { co_await one.wait(); };
    auto either = [this, &awaited, &wait]() -> task<> {
        co_await when_any(wait(awaited), wait(output_ended_));
    };
    const result<void> waited = co_await as_result(with_timeout(guard, either()));
    if (!waited || !awaited.is_set())
        failures_.push_back("the server did not " + std::string(what));
}

/// Sends SIGINT, and connects once: valgrind 3.19 delivers a signal only after the system call that
/// the server waits in has returned.
task<> load::end_server() {
    server_.interrupt();
    if (listening_.is_set()) {
        [[maybe_unused]] const result<tcp_stream> connected =
            co_await as_result(with_timeout(guard, tcp_stream::connect(address_)));
    }
    co_await wait_until(output_ended_, "end when it was asked to");
    if (!output_ended_.is_set())
        co_return; // server_process ends it
    const int code = server_.exit_code();
    if (code != 0)
        failures_.push_back("the server's exit code is " + std::to_string(code));
}

task<> load::read_output(tcp_stream output) {
    line_reader lines(output);
    for (;;) {
        const std::optional<std::string_view> line = co_await lines.next();
        if (!line)
            break;
        constexpr std::string_view mark = "listening on ";
        const std::size_t found = line->find(mark);
        if (const std::optional<sample> report = parse_report(*line); report) {
            add(*report);
        } else if (found != std::string_view::npos) {
            address_ = address::parse(line->substr(found + mark.size()));
            listening_.set();
        }
    }
    output_ended_.set();
}

/// The server must write nothing else to standard error. Tools do: heaptrack its totals, valgrind
/// the calls that it does not know. Errors that valgrind finds begin with "==", and are failures.
task<> load::read_errors(tcp_stream errors) {
    line_reader lines(errors);
    for (;;) {
        const std::optional<std::string_view> line = co_await lines.next();
        if (!line)
            co_return;
        if (!is_from_tool(*line) && !is_reset_warning(*line))
            failures_.push_back("the server wrote: " + std::string(*line));
    }
}

void load::add(sample report) {
    if (samples_.empty())
        began_ = clock::now();
    report.age_s = std::chrono::duration<double>(clock::now() - began_).count();
    report.connections = static_cast<double>(counts_.all_connections());
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

bool load::is_as_before(const sample& report) const noexcept {
    return std::all_of(quantities.begin(), quantities.end(), [&](const quantity& each) {
        return !each.returns_to_initial ||
               report.*each.value == samples_[samples_before - 1].*each.value;
    });
}

void load::check_end() {
    for (const quantity& each : quantities) {
        const double first = samples_[samples_before - 1].*each.value;
        const double last = samples_.back().*each.value;
        if (each.returns_to_initial && first != last) {
            failures_.push_back(std::string(each.name) + ": " + round_text(last) +
                                " at the end, and not " + round_text(first) + " as before");
        }
    }
}

/// Looks at the second half only: a server that warms up does not grow.
void load::check_growth() {
    const std::size_t half = load_samples_ / 2;
    if (load_samples_ - half < 5)
        return failures_.push_back("there are too few samples");
    const std::span<const sample> second_half =
        std::span<const sample>(samples_).subspan(half, load_samples_ - half);
    std::vector<double> times;
    for (const sample& each : second_half)
        times.push_back(each.age_s);
    const double connections = second_half.back().connections - second_half.front().connections;
    std::printf("soak: growth in the second half, over %.0f s and %.0f connections\n",
                times.back() - times.front(), connections);
    for (const quantity& each : quantities) {
        std::vector<double> values;
        for (const sample& one : second_half)
            values.push_back(one.*each.value);
        const trend seen = trend_of(times, values);
        const bool growing = is_growing(seen, each.granule);
        std::printf("  %-15s %12.1f of noise %10.1f  %s\n", std::string(each.name).c_str(),
                    seen.growth, seen.noise, growing ? "GROWS" : "steady");
        if (growing) {
            failures_.push_back(std::string(each.name) + " grows: by " + round_text(seen.growth) +
                                " in " + round_text(connections) + " connections");
        }
    }
}

/// A load without one of the hostile behaviours proves nothing.
void load::check_hostility() {
    const std::array<std::pair<std::string_view, std::size_t>, 5> wanted = {{
        {"was welcomed", counts_.welcomed},
        {"was refused because the server was full", counts_.refused},
        {"sent a line that was too long", counts_.too_long},
        {"was silent for too long", counts_.silent},
        {"was too slow to read", counts_.too_slow},
    }};
    for (std::size_t i = 0; i < behaviour_names.size(); ++i) {
        if (counts_.connections[i] == 0)
            failures_.push_back("no client had this behaviour: " + std::string(behaviour_names[i]));
    }
    for (const auto& [what, count] : wanted) {
        if (count == 0)
            failures_.push_back("nobody " + std::string(what));
    }
}

} // namespace soak
