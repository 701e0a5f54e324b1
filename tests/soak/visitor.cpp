// SPDX-License-Identifier: MIT
#include "visitor.hpp"

#include <chrono>
#include <numeric>
#include <optional>
#include <system_error>

namespace soak {

namespace {

using namespace coracle;
using namespace std::chrono_literals;

/// How often each conduct is chosen. Rare is what takes long, or has everybody read much.
constexpr std::array<unsigned, conduct_names.size()> weights = {30, 2, 3, 15, 15, 25, 8, 4, 2, 15};

/// How long a visit may last: longer than the server takes to be rid of anybody.
constexpr auto patience = 8s;

/// Beyond what a server answers to /who.
constexpr std::size_t longest_told_bytes = std::size_t{128} * 1024;

} // namespace

std::size_t experience::all_visits() const noexcept {
    return std::accumulate(visits.begin(), visits.end(), std::size_t{0});
}

void experience::hear(std::string_view line) noexcept {
    if (line.starts_with("* welcome, "))
        ++greeted;
    else if (line.starts_with("! the server is full"))
        ++refused;
    else if (line.ends_with("this one was left out"))
        ++left_out;
    else if (line.ends_with(" left (silent for too long)"))
        ++sent_silent;
    else if (line.ends_with(" left (too slow to read)"))
        ++sent_too_slow;
}

unsigned visitor::random(unsigned least, unsigned most) {
    return std::uniform_int_distribution<unsigned>(least, most)(chance_);
}

conduct visitor::choose() {
    std::discrete_distribution<unsigned> choice(weights.begin(), weights.end());
    return static_cast<conduct>(choice(chance_));
}

task<> visitor::live() {
    for (;;) {
        co_await sleep_for(std::chrono::milliseconds(random(0, 100)));
        const conduct chosen = choose();
        std::chrono::microseconds limit = patience;
        if (chosen == conduct::cancel)
            limit = std::chrono::microseconds(random(0, 20'000));
        const result<void> ended = co_await as_result(with_timeout(limit, visit(chosen)));
        if (ended.error() == std::errc::connection_refused)
            throw std::system_error(ended.error(), "the server does not listen any more");
        ++shared_->visits[static_cast<std::size_t>(chosen)];
    }
}

task<> visitor::visit(conduct chosen) {
    tcp_stream peer = co_await tcp_stream::connect(server_);
    co_await behave(chosen, peer);
}

task<> visitor::behave(conduct chosen, tcp_stream& peer) {
    switch (chosen) {
    case conduct::talk:
    case conduct::cancel:
        co_await when_all(speak_and_quit(peer), listen(peer));
        break;
    case conduct::flood:
        co_await when_any(shout(peer), listen(peer));
        break;
    case conduct::read_slowly:
        co_await read_slowly(peer);
        break;
    case conduct::reset:
        co_await speak(peer);
        peer.set_linger(0s);
        break;
    case conduct::half_close:
        co_await speak(peer);
        peer.shutdown(shutdown_direction::write);
        co_await listen(peer);
        break;
    case conduct::garbage:
        co_await when_all(send_garbage(peer), listen(peer));
        break;
    case conduct::endless_line:
        co_await when_all(send_endless_line(peer), listen(peer));
        break;
    case conduct::keep_silent:
        co_await listen(peer);
        break;
    case conduct::vanish:
        break;
    }
}

/// Mostly something to all, so that everybody has something to read.
const std::string& visitor::remark() {
    switch (random(0, 9)) {
    case 0:
        text_ = "/nick n" + std::to_string(random(0, 99)) + "\n";
        break;
    case 1:
        text_ = "/msg n" + std::to_string(random(0, 99)) + " psst\r\n";
        break;
    case 2:
        text_ = "/who\n/help\n/nonsense\n/me\n\n";
        break;
    default:
        text_.assign(random(1, 200), 'a');
        text_ += '\n';
        break;
    }
    return text_;
}

task<> visitor::speak(tcp_stream& peer) {
    for (unsigned left = random(0, 10); left > 0; --left) {
        co_await peer.write(remark());
        if (random(0, 3) == 0)
            co_await sleep_for(std::chrono::milliseconds(random(0, 10)));
    }
}

/// A server that knows no /quit sees the end of the stream.
task<> visitor::speak_and_quit(tcp_stream& peer) {
    co_await speak(peer);
    co_await peer.write("/quit\n");
    peer.shutdown(shutdown_direction::write);
}

task<> visitor::shout(tcp_stream& peer) {
    for (unsigned left = random(20, 200); left > 0; --left) {
        text_.assign(random(1, 4000), 'A');
        text_ += '\n';
        co_await peer.write(text_);
    }
}

task<> visitor::send_garbage(tcp_stream& peer) {
    text_.resize(random(1, 20'000));
    for (char& each : text_)
        each = static_cast<char>(random(0, 255));
    co_await peer.write(text_);
    peer.shutdown(shutdown_direction::write);
}

task<> visitor::send_endless_line(tcp_stream& peer) {
    text_.assign(random(5'000, 200'000), 'x');
    co_await peer.write(text_);
    co_await peer.write("\n");
    co_await speak_and_quit(peer);
}

task<> visitor::read_slowly(tcp_stream& peer) {
    std::array<std::byte, 16> bytes; // NOLINT(cppcoreguidelines-pro-type-member-init)
    peer.set_receive_buffer_size(2048);
    std::size_t count = bytes.size();
    while (count != 0) {
        count = co_await peer.read(bytes);
        co_await sleep_for(10ms);
        co_await peer.write("/help\n");
    }
}

task<> visitor::listen(tcp_stream& peer) {
    line_reader lines(peer, longest_told_bytes);
    for (;;) {
        const std::optional<std::string_view> told = co_await lines.next();
        if (!told)
            co_return;
        shared_->hear(*told);
    }
}

} // namespace soak
