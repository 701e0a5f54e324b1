// SPDX-License-Identifier: MIT
//
// server: accepts connections, up to its limits, and ends in order.
//
// Each session is an object in one pool, which limits their number, and a job in one group, so that
// `run` returns once all have ended.
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

    /// Serves until `stop` is called and all sessions have ended.
    [[nodiscard]] coracle::task<> run();

    /// Stops accepting, announces it to all members, and ends the sessions.
    void stop() noexcept { stopping_.set(); }

    [[nodiscard]] const room& here() const noexcept { return room_; }

    /// All sessions, also those that have left the room and write their outbox.
    [[nodiscard]] const coracle::object_pool<session>& sessions() const noexcept {
        return sessions_;
    }

private:
    [[nodiscard]] coracle::task<> accept(coracle::task_group& jobs);
    void admit(coracle::task_group& jobs, coracle::tcp_stream peer);
    [[nodiscard]] static coracle::task<> serve(coracle::object_handle<session> client,
                                               address_limit::permit permit);
    [[nodiscard]] coracle::task<> refuse(coracle::tcp_stream peer, std::string reason) const;

    coracle::tcp_listener listener_;
    limits allowed_;
    room room_;
    coracle::event stopping_;
    address_limit per_address_;
    coracle::object_pool<session> sessions_;
};

} // namespace chat
