// SPDX-License-Identifier: MIT
#include "outbox.hpp"

namespace chat {

bool outbox::push(std::string_view line) {
    if (closed_)
        return true;
    if (line.size() + 1 > limit_bytes_ - size())
        return false;
    waiting_ += line;
    waiting_ += '\n';
    if (size() > limit_bytes_ / 2)
        half_empty_.reset();
    changed_.set();
    return true;
}

void outbox::close() noexcept {
    closed_ = true;
    changed_.set();
}

coracle::task<> outbox::write_to(coracle::stream& peer) {
    while (!closed_ || !waiting_.empty()) {
        co_await changed_.wait();
        changed_.reset();
        waiting_.swap(writing_);
        co_await peer.write(writing_);
        writing_.clear();
        if (size() <= limit_bytes_ / 2)
            half_empty_.set();
    }
}

} // namespace chat
