// SPDX-License-Identifier: MIT
//
// signal_set: signals of the process as something to await, so that a server can end in order.
#pragma once

#include "../runtime/task.hpp"
#include "stream.hpp"
#include <initializer_list>
#include <memory>

namespace coracle {

class signal_set {
public:
    /// Catches these signals (SIGINT, SIGTERM, ...) until it is destroyed, which brings back what
    /// they did before. Each may be in one set at a time (std::invalid_argument otherwise).
    /// A forked child has none of them: there they do what they did before.
    explicit signal_set(std::initializer_list<int> signals, creation_site where = {});
    ~signal_set();
    signal_set(const signal_set&) = delete;
    signal_set& operator=(const signal_set&) = delete;

    /// Waits for the next signal, and gives its number. Those that come while nobody waits are
    /// kept.
    ///
    /// errors   operation_canceled; error::read_under_way if somebody else waits for the next one
    [[nodiscard]] task<int> next();

private:
    class registration;

    stream arrivals_; // one byte for each signal, written by the handler
    std::unique_ptr<registration> registration_;
};

} // namespace coracle
