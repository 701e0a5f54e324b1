// SPDX-License-Identifier: MIT
#include "session.hpp"

#include "text.hpp"
#include <utility>

namespace chat {

namespace {

/// How much the kernel keeps of what was written and not yet read.
constexpr int kernel_bytes = 64 * 1024;

} // namespace

session::session(room& in, coracle::tcp_stream peer, const limits& allowed)
    : member(allowed.outbox_bytes), room_(&in), peer_(std::move(peer)),
      lines_(peer_, max_line_bytes), allowed_(&allowed) {}

coracle::task<> session::run() {
    peer_.set_no_delay(true); // the outbox gathers lines already
    // Else the kernel keeps megabytes for a client that does not read, and the outbox seems to
    // move.
    peer_.set_send_buffer_size(kernel_bytes);
    auto serve = [this](coracle::task_group& jobs) -> coracle::task<> {
        jobs_ = &jobs;
        jobs.start(read());
        // Written or not, there is nothing to be done for this client afterwards.
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
        const room::seat here(*room_, *this);
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

/// Waits for room first: who asks more than it reads the answers of has to wait with asking.
coracle::task<session::line> session::next_line() {
    co_await outbox_.half_empty();
    co_return co_await lines_.next();
}

coracle::task<session::line> session::next_line_in_time() {
    if (allowed_->idle_timeout == std::chrono::milliseconds::zero())
        return next_line();
    return coracle::with_timeout(allowed_->idle_timeout, next_line());
}

/// Tells the client what was wrong, if it can still be told; whether the session goes on.
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
    jobs_->cancel(); // the connection is lost, so that nothing can be written either
    return false;
}

/// Whether the session goes on.
bool session::handle(const command& given) {
    switch (given.what) {
    case verb::nothing:
        break;
    case verb::say:
        room_->say(*this, given.text);
        break;
    case verb::nick:
        room_->rename(*this, given.name);
        break;
    case verb::who:
        room_->list(*this);
        break;
    case verb::message:
        if (given.text.empty())
            tell("! something is missing: /msg NAME text");
        else
            room_->whisper(*this, given.name, given.text);
        break;
    case verb::act:
        if (given.text.empty())
            tell("! something is missing: /me text");
        else
            room_->act(*this, given.text);
        break;
    case verb::help:
        help();
        break;
    case verb::quit:
        tell("* goodbye");
        return false;
    case verb::unknown:
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
