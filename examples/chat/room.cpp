// SPDX-License-Identifier: MIT
#include "room.hpp"

#include "text.hpp"
#include <algorithm>
#include <new>

namespace chat {

void member::tell(std::string_view line) {
    if (!outbox_.push(line))
        drop();
}

void room::say(const member& speaker, std::string_view text) {
    tell_others(&speaker, compose("<", speaker.name_, "> ", text));
}

void room::emote(const member& actor, std::string_view text) {
    tell_others(nullptr, compose("~ ", actor.name_, " ", text));
}

void room::whisper(member& speaker, std::string_view name, std::string_view text) {
    member* const listener = find(name);
    if (listener)
        listener->tell(compose("[", speaker.name_, "] ", text));
    else
        speaker.tell(compose("! nobody here is called ", name));
}

void room::rename(member& renamed, std::string_view name) {
    if (!is_valid_name(name)) {
        renamed.tell("! a name has 1 to 16 letters, digits, '_' and '-': /nick NAME");
    } else if (find(name)) {
        renamed.tell(compose("! the name ", name, " is taken"));
    } else {
        tell_others(nullptr, compose("* ", renamed.name_, " is now ", name));
        renamed.name_ = name;
    }
}

void room::list(member& asking) {
    static constexpr std::size_t count_bytes = 32; // of " and N more"
    const std::size_t longest = asking.outbox_.longest_answer() - count_bytes;
    line_ = "* here: ";
    std::size_t listed = 0;
    for (const member* const each : members_) {
        if (line_.size() + each->name_.size() > longest)
            break;
        line_.append(listed == 0 ? "" : ", ").append(each->name_);
        ++listed;
    }
    if (listed < members_.size())
        line_.append(" and ").append(std::to_string(members_.size() - listed)).append(" more");
    asking.tell(line_);
}

void room::close() {
    closed_ = true;
    // members_ does not change meanwhile: finish() resumes nothing.
    for (member* const each : members_)
        send_away(*each);
}

void room::send_away(member& unwanted) {
    unwanted.tell("* server is going down");
    unwanted.finish();
}

void room::join(member& arriving) {
    do {
        arriving.name_ = "guest" + std::to_string(++guests_);
    } while (find(arriving.name_));
    members_.push_back(&arriving);
}

void room::welcome(member& arriving) {
    if (closed_)
        return send_away(arriving);
    arriving.tell(compose("* welcome, ", arriving.name_, "; /help lists what you can do"));
    tell_others(&arriving, compose("* ", arriving.name_, " joined"));
}

void room::leave(const member& leaving) noexcept {
    members_.erase(std::find(members_.begin(), members_.end(), &leaving));
    try {
        tell_others(nullptr, compose("* ", leaving.name_, " left", leaving.reason_));
    } catch (const std::bad_alloc&) {
        coracle::warning("chat: there was no memory to tell everyone that somebody left");
    }
}

void room::tell_others(const member* except, std::string_view line) {
    // members_ does not change meanwhile: drop() resumes nothing.
    for (member* const each : members_) {
        if (each != except)
            each->tell(line);
    }
}

member* room::find(std::string_view name) const noexcept {
    const auto found = std::find_if(members_.begin(), members_.end(),
                                    [name](const member* each) { return each->name_ == name; });
    return found == members_.end() ? nullptr : *found;
}

} // namespace chat
