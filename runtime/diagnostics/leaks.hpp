// SPDX-License-Identifier: MIT
//
// leaks: what is held at a moment and has to be given back, and who can list it.
//
// A leak_source is a pool or anything else that hands things out. It is in a list for as long as it
// lives, and asked only when somebody wants to know: a pool that keeps a creation_site in each slot
// pays two stores for a lease, and nothing else.
//
//     class lemon_pool : detail::leak_source {
//         void list_leaks(std::vector<leak>& to) const override {
//             for (const slot& each : slots_)
//                 if (each.taken)
//                     to.push_back({"lemon", "slot 7", each.taken_at});
//         }
//         lemon take(creation_site where = {});
//     };
#pragma once

#include "creation_site.hpp"
#include <cstdint>
#include <string>
#include <vector>

namespace coracle {

/// Something that is held.
struct leak {
    std::string kind;   // "tcp_stream", "lease of a buffer_pool"
    std::string detail; // which one: "descriptor 7, peer 127.0.0.1:4000"; may be empty
    creation_site where;
};

/// As "still held at the end: a socket (descriptor 7, peer 127.0.0.1:4000), made in task<> serve()
/// (server.cpp:12) by the job session".
[[nodiscard]] std::string to_string(const leak& held);

namespace detail {

/// Tells what it has handed out. Belongs to the thread that makes it, and may outlive that thread.
class leak_source {
public:
    leak_source(const leak_source&) = delete;
    leak_source& operator=(const leak_source&) = delete;

    /// Adds everything that is held of it.
    virtual void list_leaks(std::vector<leak>& to) const = 0;

protected:
    leak_source() noexcept;
    ~leak_source();

private:
    friend std::vector<leak> leaks_of_this_thread();

    leak_source* next_; // in one list for all threads
    leak_source* previous_ = nullptr;
    std::uint64_t thread_;
};

/// What is held of the leak sources that this thread has made.
[[nodiscard]] std::vector<leak> leaks_of_this_thread();

/// Holds the lock of the list of leak sources, while fork(2) copies it. It is taken before those of
/// what leak sources list.
void lock_leak_sources() noexcept;
void unlock_leak_sources() noexcept;

} // namespace detail

} // namespace coracle
