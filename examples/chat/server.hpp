// SPDX-License-Identifier: MIT
//
// server: accepts connections, up to its limits, and ends in order.
//
// Every session is an object of one pool, which is the list of them and their limit, and a job in
// one group, so that `run` returns only when all of them have ended.
#pragma once

#include "address_limit.hpp"
#include "limits.hpp"
#include "room.hpp"
#include "session.hpp"
#include <coracle/coracle.hpp>
#include <string>

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

    /// Everyone who is connected, in the room or about to leave.
    [[nodiscard]] const coracle::object_pool<session>& sessions() const noexcept {
        return sessions_;
    }

private:
    [[nodiscard]] coracle::task<> accept(coracle::task_group& jobs);
    void admit(coracle::task_group& jobs, coracle::tcp_stream peer);
    [[nodiscard]] static coracle::task<> serve(coracle::object_handle<session> client,
                                               address_limit::place place);
    [[nodiscard]] coracle::task<> refuse(coracle::tcp_stream peer, std::string reason) const;

    coracle::tcp_listener listener_;
    limits allowed_;
    room room_;
    coracle::event stopping_;
    address_limit per_address_;
    coracle::object_pool<session> sessions_;
};

} // namespace chat
