// SPDX-License-Identifier: MIT
//
// server: takes connections, up to a limit, and ends in order.
//
// Every session is a job in one group, so that `run` returns only when all of them have ended.
#pragma once

#include "limits.hpp"
#include "room.hpp"
#include <coracle/coracle.hpp>
#include <cstddef>

namespace chat {

class server {
public:
    server(coracle::tcp_listener listener, const limits& allowed);

    [[nodiscard]] coracle::address local_address() const { return listener_.local_address(); }

    /// Serves until it is stopped and the last session has ended.
    [[nodiscard]] coracle::task<> run();

    /// Takes no further connections, tells everyone, and lets the sessions end.
    void stop() noexcept { stopping_.set(); }

    [[nodiscard]] const room& here() const noexcept { return room_; }

private:
    [[nodiscard]] coracle::task<> accept(coracle::task_group& sessions);
    [[nodiscard]] coracle::task<> serve(coracle::tcp_stream peer);
    [[nodiscard]] coracle::task<> refuse(coracle::tcp_stream peer) const;

    coracle::tcp_listener listener_;
    limits allowed_;
    room room_;
    coracle::event stopping_;
    std::size_t sessions_ = 0;
};

} // namespace chat
