// SPDX-License-Identifier: MIT
//
// session: one client, from its connection to its end.
//
// Two jobs in one group: one reads lines and handles them, the other one writes the outbox. When
// the reader ends (the client has quit, is silent for too long, or gone) the member leaves the room
// and the outbox is closed; when the outbox has been written, the session ends. A client that does
// not take the rest is given up after a while, one that reads too slowly is dropped at once: both
// cancel the group, whatever its jobs wait for.
#pragma once

#include "command.hpp"
#include "limits.hpp"
#include "room.hpp"
#include <coracle/coracle.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace chat {

class session final : public member {
public:
    session(room& in, coracle::tcp_stream peer, const limits& allowed);

    /// Serves the client to its end. Losing the connection is such an end, and no error.
    [[nodiscard]] coracle::task<> run();

private:
    using line = std::optional<std::string_view>;

    void drop() noexcept override;
    void finish() override;

    [[nodiscard]] coracle::task<> read();
    [[nodiscard]] coracle::task<> handle_lines();
    [[nodiscard]] coracle::task<line> next_line();
    [[nodiscard]] coracle::task<line> next_line_in_time();
    [[nodiscard]] coracle::task<> give_up();
    [[nodiscard]] bool explain(std::error_code failure);
    [[nodiscard]] bool handle(const command& given);
    void help();

    room* room_;
    coracle::tcp_stream peer_;
    coracle::line_reader lines_;
    const limits* allowed_;
    coracle::task_group* jobs_ = nullptr; // from the start of `run` to its end
    std::string printable_;               // the line being handled; kept for its capacity
};

} // namespace chat
