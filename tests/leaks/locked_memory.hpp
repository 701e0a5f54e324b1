// SPDX-License-Identifier: MIT
//
// A user who may lock little memory, and how much of it this process has locked for kernels.
#pragma once

#include "figures.hpp"

#include <cstddef>
#include <cstdio>
#include <sys/resource.h>
#include <unistd.h>

namespace coracle::test {

/// Makes this process one of a user of its own, since locked memory is counted for each user, who
/// may lock so many bytes. Skips where that cannot be, as for a user who has other processes.
inline void become_user_with(std::size_t lockable_bytes) {
    const rlimit limits = {lockable_bytes, lockable_bytes};
    if (::setrlimit(RLIMIT_MEMLOCK, &limits) != 0)
        skip("the limit of locked memory cannot be lowered here");
    const auto unused = static_cast<uid_t>(100'000 + ::getpid());
    if (::geteuid() != 0 || ::setgid(unused) != 0 || ::setuid(unused) != 0)
        skip("only root can become somebody else, whose locked memory is counted alone");
}

/// The bytes that kernels have pinned for this process, by what /proc says.
inline long long pinned_bytes() {
    long long pinned_kilobytes = -1;
    std::FILE* const status = std::fopen("/proc/self/status", "r");
    if (!status)
        return -1;
    char line[256];
    while (std::fgets(line, sizeof line, status))
        std::sscanf(line, "VmPin: %lld kB", &pinned_kilobytes);
    std::fclose(status);
    return pinned_kilobytes * 1024;
}

} // namespace coracle::test
