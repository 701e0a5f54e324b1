// SPDX-License-Identifier: MIT
//
// run_clean: runs a test's body in a context of its own, and checks that nothing is left of it: no
// operation, no socket, no registration with the kernel, no frame and no descriptor.
#pragma once

#include <algorithm>
#include <charconv>
#include <chrono>
#include <coracle/io/context.hpp>
#include <coracle/memory/usage.hpp>
#include <coracle/runtime/timeout.hpp>
#include <cstddef>
#include <dirent.h>
#include <doctest/doctest.h>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

namespace coracle::test {

/// A guard against hanging, and nothing else: no test comes near it.
inline constexpr auto longest_test = std::chrono::seconds(60);

/// The descriptors of this process.
inline std::vector<int> open_descriptors() {
    std::vector<int> open;
    DIR* const folder = ::opendir("/dev/fd");
    REQUIRE(folder != nullptr);
    while (const dirent* const entry = ::readdir(folder)) {
        const std::string_view name = entry->d_name;
        int number = -1;
        std::from_chars(name.data(), name.data() + name.size(), number);
        if (number >= 0 && number != ::dirfd(folder))
            open.push_back(number);
    }
    ::closedir(folder);
    std::sort(open.begin(), open.end());
    return open;
}

/// How many descriptors are registered with a backend that is told of readiness; nothing where
/// nobody tells. The emulation of kqueue is an epoll as well.
inline std::optional<std::size_t> registrations(std::string_view backend) {
    if (!(backend == "epoll" || backend == "kqueue") || ::access("/proc/self/fdinfo", R_OK) != 0)
        return std::nullopt;
    std::size_t count = 0;
    for (const int handle : open_descriptors()) {
        std::ifstream information("/proc/self/fdinfo/" + std::to_string(handle));
        for (std::string line; std::getline(information, line);)
            count += line.starts_with("tfd:");
    }
    return count;
}

/// What a test must leave as it was.
struct possessions {
    std::size_t frames = usage().live_frames;
    std::vector<int> descriptors = open_descriptors();
};

inline void check_unchanged(const possessions& before) {
    CHECK(usage().live_frames == before.frames);
    CHECK(open_descriptors().size() == before.descriptors.size());
    CHECK(open_descriptors() == before.descriptors);
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
