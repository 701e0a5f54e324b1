// SPDX-License-Identifier: MIT
//
// room: who is here, under which name, and what reaches whom.
//
// All of it happens on one loop, so there are no locks, and telling somebody something never
// waits: it goes to an outbox. A member is in the room from the making of its seat to its end, and
// no other member has its name in that time.
#pragma once

#include "outbox.hpp"
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace chat {

/// One who can be in a room: a name and an outbox.
class member {
public:
    member(const member&) = delete;
    member& operator=(const member&) = delete;

    [[nodiscard]] const std::string& name() const noexcept { return name_; }

    /// Adds a line to the outbox; drops the member if it is full.
    void tell(std::string_view line);

protected:
    explicit member(std::size_t outbox_bytes) noexcept : outbox_(outbox_bytes) {}

    ~member() = default;

    /// The member does not read what it is told, and has to go at once. Resumes nothing.
    virtual void drop() noexcept = 0;

    /// The member has to go once it has read what it has been told. Resumes nothing.
    virtual void finish() = 0;

    outbox outbox_;
    std::string_view reason_; // why it leaves, if that is not its own wish

private:
    friend class room;

    std::string name_;
};

class room {
public:
    class seat;

    room() = default;
    room(const room&) = delete;
    room& operator=(const room&) = delete;

    /// Tells who has just taken a seat, and everyone else.
    void welcome(member& arriving);

    /// To everyone else.
    void say(const member& speaker, std::string_view text);

    /// To everyone, as something that the member does.
    void act(const member& actor, std::string_view text);

    /// To one member, if there is one of that name.
    void whisper(member& speaker, std::string_view name, std::string_view text);

    /// Gives the member another name, if that may be.
    void rename(member& renamed, std::string_view name);

    /// Tells `asking` who is here.
    void list(member& asking);

    /// Says that the server is going down, and lets everyone go. Who comes later hears the same.
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

    std::vector<member*> members_; // in the order in which they came
    std::string line_;             // the one being composed; kept for its capacity
    std::uint64_t guests_ = 0;     // how many guest names were given out
    bool closed_ = false;
};

/// A member's place: while it lives, the member is in the room.
class room::seat {
public:
    seat(room& in, member& taken_by) : room_(&in), member_(&taken_by) { room_->join(*member_); }

    ~seat() { room_->leave(*member_); }

    seat(const seat&) = delete;
    seat& operator=(const seat&) = delete;

private:
    room* room_;
    member* member_;
};

} // namespace chat
