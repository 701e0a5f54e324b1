// SPDX-License-Identifier: MIT
//
// Sockets that a job has made and that no loop has used yet: accepted and put away, for example. No
// backend knows of them, so that they are listed here, for the report of what is still held.
//
// A socket may be used first on another thread than the one that made it, hence the locks: one pair
// for each connection, and none for what is read and written.
#pragma once

#include "../runtime/diagnostics/leaks.hpp"
#include "descriptor.hpp"
#include <vector>

namespace coracle::detail {

/// Lists a descriptor that has just been made, if a job of this thread's context has made it.
void note_unused(descriptor& fd_state) noexcept;

/// It is about to be used, closed or given up.
void note_used(descriptor& fd_state) noexcept;

/// Adds those that were made in the context of this backend.
void list_unused(const backend& made_in, std::vector<leak>& to);

/// The backend is about to end: none is listed as made there any more.
void forget_unused(const backend& ended) noexcept;

/// Holds the locks of all lists, while fork(2) copies them.
void lock_unused_sockets() noexcept;
void unlock_unused_sockets() noexcept;

} // namespace coracle::detail
