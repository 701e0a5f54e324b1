// SPDX-License-Identifier: MIT
#include "client.hpp"

#include <chrono>
#include <numeric>
#include <optional>
#include <system_error>

namespace soak {

namespace {

using namespace coracle;
using namespace std::chrono_literals;
using namespace std::string_view_literals;

/// How often each behaviour is chosen. Those that take long or send much are rare.
constexpr std::array<unsigned, behaviour_names.size()> weights = {30, 2, 3, 15, 15,
                                                                  25, 8, 4, 2,  15};

/// The limit for one connection: more than the server takes to end any session.
constexpr auto connection_limit = 8s;

/// More than the longest answer to /who.
constexpr std::size_t max_received_bytes = std::size_t{128} * 1024;

} // namespace

std::size_t client_counts::all_connections() const noexcept {
    return std::accumulate(connections.begin(), connections.end(), std::size_t{0});
}

void client_counts::count(std::string_view line) noexcept {
    if (line.starts_with("* welcome, "))
        ++welcomed;
    else if (line.starts_with("! the server is full"))
        ++refused;
    else if (line.ends_with("this one was left out"))
        ++too_long;
    else if (line.ends_with(" left (silent for too long)"))
        ++silent;
    else if (line.ends_with(" left (too slow to read)"))
        ++too_slow;
}

unsigned client::random(unsigned min, unsigned max) {
    return std::uniform_int_distribution<unsigned>(min, max)(random_);
}

behaviour client::choose() {
    std::discrete_distribution<unsigned> choice(weights.begin(), weights.end());
    return static_cast<behaviour>(choice(random_));
}

task<> client::run() {
    for (;;) {
        co_await sleep_for(std::chrono::milliseconds(random(0, 100)));
        const behaviour chosen = choose();
        std::chrono::microseconds limit = connection_limit;
        if (chosen == behaviour::cancel)
            limit = std::chrono::microseconds(random(0, 20'000));
        const result<void> ended = co_await as_result(with_timeout(limit, connect(chosen)));
        if (ended.error() == std::errc::connection_refused)
            throw std::system_error(ended.error(), "the server does not listen any more");
        ++shared_->connections[static_cast<std::size_t>(chosen)];
    }
}

task<> client::connect(behaviour chosen) {
    tcp_stream peer = co_await tcp_stream::connect(server_);
    co_await behave(chosen, peer);
}

task<> client::behave(behaviour chosen, tcp_stream& peer) {
    switch (chosen) {
    case behaviour::talk:
    case behaviour::cancel:
        co_await when_all(talk_and_quit(peer), listen(peer));
        break;
    case behaviour::flood:
        co_await when_any(flood(peer), listen(peer));
        break;
    case behaviour::read_slowly:
        co_await read_slowly(peer);
        break;
    case behaviour::reset:
        co_await talk(peer);
        peer.set_linger(0s);
        break;
    case behaviour::half_close:
        co_await talk(peer);
        peer.shutdown(shutdown_direction::write);
        co_await listen(peer);
        break;
    case behaviour::garbage:
        co_await when_all(send_garbage(peer), listen(peer));
        break;
    case behaviour::endless_line:
        co_await when_all(send_endless_line(peer), listen(peer));
        break;
    case behaviour::keep_silent:
        co_await listen(peer);
        break;
    case behaviour::vanish:
        break;
    }
}

/// Mostly a message to all, so that all have something to read.
const std::string& client::next_message() {
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

task<> client::talk(tcp_stream& peer) {
    for (unsigned left = random(0, 10); left > 0; --left) {
        co_await peer.write(next_message());
        if (random(0, 3) == 0)
            co_await sleep_for(std::chrono::milliseconds(random(0, 10)));
    }
}

/// An echo server does not know /quit: it gets end of stream.
task<> client::talk_and_quit(tcp_stream& peer) {
    co_await talk(peer);
    co_await peer.write("/quit\n"sv);
    peer.shutdown(shutdown_direction::write);
}

task<> client::flood(tcp_stream& peer) {
    for (unsigned left = random(20, 200); left > 0; --left) {
        text_.assign(random(1, 4000), 'A');
        text_ += '\n';
        co_await peer.write(text_);
    }
}

task<> client::send_garbage(tcp_stream& peer) {
    text_.resize(random(1, 20'000));
    for (char& each : text_)
        each = static_cast<char>(random(0, 255));
    co_await peer.write(text_);
    peer.shutdown(shutdown_direction::write);
}

task<> client::send_endless_line(tcp_stream& peer) {
    text_.assign(random(5'000, 200'000), 'x');
    co_await peer.write(text_);
    co_await peer.write("\n"sv);
    co_await talk_and_quit(peer);
}

task<> client::read_slowly(tcp_stream& peer) {
    std::array<std::byte, 16> bytes; // NOLINT(cppcoreguidelines-pro-type-member-init)
    peer.set_receive_buffer_size(2048);
    std::size_t count = bytes.size();
    while (count != 0) {
        count = co_await peer.read(bytes);
        co_await sleep_for(10ms);
        co_await peer.write("/help\n"sv);
    }
}

task<> client::listen(tcp_stream& peer) {
    line_reader lines(peer, max_received_bytes);
    for (;;) {
        const std::optional<std::string_view> told = co_await lines.next();
        if (!told)
            co_return;
        shared_->count(*told);
    }
}

} // namespace soak
