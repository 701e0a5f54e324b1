// SPDX-License-Identifier: MIT
//
// holdings: what is held at a moment and will have to be given back, and who can tell of it.
//
// A holder is a pool or whatever else hands things out. It is entered in a list of its thread for
// as long as it lives, and asked only when somebody wants to know: a pool that keeps an `origin` in
// each slot pays two stores for a lease, and nothing else.
//
//     class lemon_pool : detail::holder {
//         void list_holdings(std::vector<holding>& to) const override {
//             for (const slot& each : slots_)
//                 if (each.taken)
//                     to.push_back({"lemon", "slot 7", each.taken_at});
//         }
//         lemon take(origin made = {});
//     };
#pragma once

#include "creation_site.hpp"
#include <string>
#include <vector>

namespace coracle {

/// Something that is held.
struct holding {
    std::string kind;   // "tcp_stream", "lease of a buffer_pool"
    std::string detail; // which one: "descriptor 7, peer 127.0.0.1:4000"; may be empty
    origin made;
};

/// As "still held at the end: a socket (descriptor 7, peer 127.0.0.1:4000), made in task<> serve()
/// (server.cpp:12) by the job session".
[[nodiscard]] std::string to_string(const holding& held);

namespace detail {

/// Tells what it has handed out. Made and destroyed on one thread.
class holder {
public:
    holder(const holder&) = delete;
    holder& operator=(const holder&) = delete;

    /// Adds everything that is held of it.
    virtual void list_holdings(std::vector<holding>& to) const = 0;

protected:
    holder() noexcept;
    ~holder();

private:
    friend std::vector<holding> holdings_of_this_thread();

    holder* next_;
    holder** place_; // what points to this
};

/// What is held of the holders that this thread has made.
[[nodiscard]] std::vector<holding> holdings_of_this_thread();

} // namespace detail

} // namespace coracle
