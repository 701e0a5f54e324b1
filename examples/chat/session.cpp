// SPDX-License-Identifier: MIT
#include "session.hpp"

#include "text.hpp"
#include <utility>

namespace chat {

namespace {

/// SO_SNDBUF: how much the kernel keeps of what was written and not yet acknowledged.
constexpr int send_buffer_bytes = 64 * 1024;

} // namespace

session::session(room& in, coracle::tcp_stream peer, const limits& allowed)
    : member(allowed.outbox_bytes), room_(&in), peer_(std::move(peer)),
      lines_(peer_, max_line_bytes), allowed_(&allowed) {}

coracle::task<> session::run() {
    peer_.set_no_delay(true); // the outbox gathers lines already
    // By default the kernel buffers megabytes for a client that does not read.
    peer_.set_send_buffer_size(send_buffer_bytes);
    auto serve = [this](coracle::task_group& jobs) -> coracle::task<> {
        jobs_ = &jobs;
        jobs.start(read());
        // An error means that the connection is lost; the session ends either way.
        [[maybe_unused]] const coracle::result<void> written =
            co_await coracle::as_result(outbox_.write_to(peer_));
        jobs.cancel();
    };
    co_await coracle::with_task_group(serve);
}

void session::drop() noexcept {
    reason_ = " (too slow to read)";
    outbox_.close();
    jobs_->cancel();
}

void session::finish() {
    if (outbox_.closed())
        return;
    outbox_.close();
    jobs_->start(give_up());
}

coracle::task<> session::give_up() {
    co_await coracle::sleep_for(allowed_->drain_time);
    jobs_->cancel();
}

coracle::task<> session::read() {
    {
        const room::membership joined(*room_, *this);
        room_->welcome(*this);
        co_await handle_lines();
    }
    finish();
}

coracle::task<> session::handle_lines() {
    bool staying = true;
    while (staying) {
        const coracle::result<line> next = co_await coracle::as_result(next_line_in_time());
        if (!next) {
            staying = explain(next.error());
        } else if (!next->has_value()) {
            staying = false;
        } else {
            printable_.clear();
            append_printable(printable_, **next);
            staying = handle(parse_command(printable_));
        }
    }
}

/// Backpressure: reads no further command while the outbox is more than half full.
coracle::task<session::line> session::next_line() {
    co_await outbox_.half_empty();
    co_return co_await lines_.next();
}

coracle::task<session::line> session::next_line_in_time() {
    if (allowed_->idle_timeout == std::chrono::milliseconds::zero())
        return next_line();
    return coracle::with_timeout(allowed_->idle_timeout, next_line());
}

/// Reports the error to the client, if it can still be reached. Returns whether the session goes
/// on.
bool session::explain(std::error_code failure) {
    if (failure == coracle::error::line_too_long) {
        static const std::string text = "! a line has at most " + std::to_string(max_line_bytes) +
                                        " bytes; this one was left out";
        tell(text);
        return true;
    }
    if (failure == std::errc::timed_out) {
        reason_ = " (silent for too long)";
        tell("! you were silent for too long");
        return false;
    }
    jobs_->cancel(); // the connection is lost
    return false;
}

/// Returns whether the session goes on.
bool session::handle(const command& given) {
    switch (given.type) {
    case command_type::none:
        break;
    case command_type::say:
        room_->say(*this, given.text);
        break;
    case command_type::nick:
        room_->rename(*this, given.name);
        break;
    case command_type::who:
        room_->list(*this);
        break;
    case command_type::msg:
        if (given.text.empty())
            tell("! something is missing: /msg NAME text");
        else
            room_->whisper(*this, given.name, given.text);
        break;
    case command_type::me:
        if (given.text.empty())
            tell("! something is missing: /me text");
        else
            room_->emote(*this, given.text);
        break;
    case command_type::help:
        help();
        break;
    case command_type::quit:
        tell("* goodbye");
        return false;
    case command_type::unknown:
        tell("! there is no such command; /help lists them");
        break;
    }
    return true;
}

void session::help() {
    tell("* what you write is said to everyone else, unless it begins with a slash:");
    tell("* /nick NAME       takes another name: 1 to 16 letters, digits, '_' and '-'");
    tell("* /who             lists who is here");
    tell("* /msg NAME text   says something to one only");
    tell("* /me text         says what you do");
    tell("* /help            shows this");
    tell("* /quit            leaves");
}

} // namespace chat
