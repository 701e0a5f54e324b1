// SPDX-License-Identifier: MIT
//
// Makes a system call fail for the rest of this process's life, as a container's profile does, or
// end the process. By hand, since a filter of one call needs no library. For child processes only:
// there is no way back.
#pragma once

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <system_error>

namespace coracle::test {

inline void answer_call(long number, std::uint32_t answer) {
    const auto when_called = static_cast<std::uint32_t>(number);
    std::array<sock_filter, 4> filter = {{
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, when_called, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, answer),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    }};
    sock_fprog program = {};
    program.len = static_cast<unsigned short>(filter.size());
    program.filter = filter.data();
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        throw std::system_error(errno, std::generic_category(), "cannot set a filter");
}

inline void forbid_call(long number, int error) {
    answer_call(number,
                static_cast<std::uint32_t>(SECCOMP_RET_ERRNO) | static_cast<std::uint32_t>(error));
}

/// From now on this call ends the process.
inline void end_at_call(long number) {
    answer_call(number, SECCOMP_RET_KILL_PROCESS);
}

} // namespace coracle::test
