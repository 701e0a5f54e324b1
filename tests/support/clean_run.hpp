// SPDX-License-Identifier: MIT
//
// run_clean: runs a test's body in a context of its own, and checks that nothing is left of it: no
// operation, no socket, no registration with the kernel, no frame and no descriptor.
#pragma once

#include "raw_sockets.hpp"

#include <chrono>
#include <coracle/io/context.hpp>
#include <coracle/runtime/diagnostics/usage.hpp>
#include <coracle/runtime/timeout.hpp>
#include <cstddef>
#include <doctest/doctest.h>
#include <vector>

namespace coracle::test {

/// A guard against hanging, and nothing else: no test comes near it.
inline constexpr auto longest_test = std::chrono::seconds(60);

/// What a test must leave as it was.
struct possessions {
    std::size_t frames = usage().live_frames;
    std::vector<native_handle> descriptors = open_descriptors();
};

inline void check_unchanged(const possessions& before) {
    CHECK(usage().live_frames == before.frames);
    const std::vector<native_handle> descriptors = open_descriptors();
    CHECK(descriptors.size() == before.descriptors.size());
    CHECK(descriptors == before.descriptors);
}

/// That nothing of this context is under way or open.
inline void check_idle(const context& used) {
    CHECK(used.operations_in_flight() == 0);
    CHECK(used.open_sockets() == 0);
    if (const auto registered = registrations(used.backend_name()))
        CHECK(*registered == 1); // the one that wakes it
}

template <class Body>
void run_clean(Body body, const context_options& options = {}) {
    const possessions before;
    {
        context here(options);
        here.run(with_timeout(longest_test, body()));
        check_idle(here);
    }
    check_unchanged(before);
}

} // namespace coracle::test
