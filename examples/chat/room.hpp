// SPDX-License-Identifier: MIT
//
// room: the members, their names, and who receives what.
//
// Everything runs on one loop, so there are no locks. A message goes to an outbox, so sending never
// waits. A member is in the room while its `membership` exists; its name is unique in that time.
//
// The first character of a line tells who wrote it: '*' and '!' only the server, '<' '[' and '~' a
// member.
#pragma once

#include "outbox.hpp"
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace chat {

/// A participant: a name and an outbox.
class member {
public:
    member(const member&) = delete;
    member& operator=(const member&) = delete;

    [[nodiscard]] const std::string& name() const noexcept { return name_; }

    /// Adds a line to the outbox; drops the member if the outbox is full.
    void tell(std::string_view line);

protected:
    explicit member(std::size_t outbox_bytes) noexcept : outbox_(outbox_bytes) {}

    ~member() = default;

    /// Ends the member at once, because its outbox is full. Must not resume a coroutine.
    virtual void drop() noexcept = 0;

    /// Ends the member once its outbox is written. Must not resume a coroutine.
    virtual void finish() = 0;

    outbox outbox_;
    std::string_view reason_; // why it left, if the server ended it; part of the line that it left

private:
    friend class room;

    std::string name_;
};

class room {
public:
    class membership;

    room() = default;
    room(const room&) = delete;
    room& operator=(const room&) = delete;

    /// Welcomes a member that has just joined, and announces it to all others.
    void welcome(member& arriving);

    /// Sends `text` to all others.
    void say(const member& speaker, std::string_view text);

    /// Sends to all that the member does something: "/me waves".
    void emote(const member& actor, std::string_view text);

    /// Sends `text` to the member of that name.
    void whisper(member& speaker, std::string_view name, std::string_view text);

    /// Changes the name, if the new one is valid and free, and announces it.
    void rename(member& renamed, std::string_view name);

    /// Sends the list of members to `asking`.
    void list(member& asking);

    /// Announces that the server is going down and ends all members, also those that join later.
    void close();

    [[nodiscard]] std::size_t size() const noexcept { return members_.size(); }

private:
    void join(member& arriving);
    void leave(const member& leaving) noexcept;
    void send_away(member& unwanted);
    void tell_others(const member* except, std::string_view line);
    [[nodiscard]] member* find(std::string_view name) const noexcept;

    template <class... Parts>
    [[nodiscard]] std::string_view compose(const Parts&... parts) {
        line_.clear();
        (line_.append(parts), ...);
        return line_;
    }

    std::vector<member*> members_; // in the order in which they joined
    std::string line_;             // the line being composed; a member to keep its capacity
    std::uint64_t guests_ = 0;     // guest names given out so far
    bool closed_ = false;
};

/// Joins in its constructor, leaves in its destructor.
class room::membership {
public:
    membership(room& in, member& joining) : room_(&in), member_(&joining) { room_->join(*member_); }

    ~membership() { room_->leave(*member_); }

    membership(const membership&) = delete;
    membership& operator=(const membership&) = delete;

private:
    room* room_;
    member* member_;
};

} // namespace chat
