// SPDX-License-Identifier: MIT
//
// The lists are several, so that threads seldom meet. A descriptor is linked by the members that
// link it to the others of its backend afterwards.
#include "unused_sockets.hpp"

#include "backend.hpp"
#include <array>
#include <cstdint>
#include <mutex>

namespace coracle::detail {

namespace {

struct unused_list {
    std::mutex lock;
    descriptor* first = nullptr;
};

using unused_lists = std::array<unused_list, 16>;

/// Never destroyed, since sockets may be static objects that go later.
unused_lists& all_lists() {
    static unused_lists& lists = *new unused_lists;
    return lists;
}

unused_list& list_of(const descriptor& member) {
    const auto place = reinterpret_cast<std::uintptr_t>(&member) / 64;
    return all_lists()[place % all_lists().size()];
}

/// The caller holds the lock.
void unlink(unused_list& from, descriptor& member) noexcept {
    (member.previous ? member.previous->next : from.first) = member.next;
    if (member.next)
        member.next->previous = member.previous;
    member.next = nullptr;
    member.previous = nullptr;
    member.unused_in.store(nullptr, std::memory_order_relaxed);
}

} // namespace

void note_unused(descriptor& fd_state) noexcept {
    backend* const present = backend::current();
    if (!present || !fd_state.where.job())
        return;
    unused_list& list = list_of(fd_state);
    const std::lock_guard guard(list.lock);
    fd_state.unused_in.store(present, std::memory_order_relaxed);
    fd_state.previous = nullptr;
    fd_state.next = list.first;
    if (list.first)
        list.first->previous = &fd_state;
    list.first = &fd_state;
}

void note_used(descriptor& fd_state) noexcept {
    if (!fd_state.unused_in.load(std::memory_order_relaxed))
        return;
    unused_list& list = list_of(fd_state);
    const std::lock_guard guard(list.lock);
    if (fd_state.unused_in.load(std::memory_order_relaxed)) // its backend may have ended just now
        unlink(list, fd_state);
}

void list_unused(const backend& made_in, std::vector<leak>& to) {
    for (unused_list& list : all_lists()) {
        const std::lock_guard guard(list.lock);
        for (const descriptor* each = list.first; each; each = each->next) {
            if (each->unused_in.load(std::memory_order_relaxed) == &made_in)
                to.push_back({"socket", describe(*each), each->where});
        }
    }
}

void forget_unused(const backend& ended) noexcept {
    for (unused_list& list : all_lists()) {
        const std::lock_guard guard(list.lock);
        descriptor* following = nullptr;
        for (descriptor* each = list.first; each; each = following) {
            following = each->next;
            if (each->unused_in.load(std::memory_order_relaxed) == &ended)
                unlink(list, *each);
        }
    }
}

void lock_unused_sockets() noexcept {
    for (unused_list& list : all_lists())
        list.lock.lock();
}

void unlock_unused_sockets() noexcept {
    for (unused_list& list : all_lists())
        list.lock.unlock();
}

} // namespace coracle::detail
