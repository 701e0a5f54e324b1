// SPDX-License-Identifier: MIT
//
// session: one client, from its connection to its end.
//
// A group of two jobs: one reads and handles lines, the other writes the outbox. The reader ends
// when the client quits, times out or disconnects. Then the member leaves the room, the outbox is
// closed, and the session ends once the outbox is written, or after `drain_time`. A client whose
// outbox overflows is dropped at once. Both of these cancel the group.
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

    /// Serves the client until it ends. A lost connection is not an error.
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
    coracle::line_reader<coracle::tcp_stream> lines_;
    const limits* allowed_;
    coracle::task_group* jobs_ = nullptr; // set while `run` runs
    std::string printable_;               // the line being handled; a member to keep its capacity
};

} // namespace chat
