// SPDX-License-Identifier: MIT
//
// The kqueue backend where the system lets it down: a call that is missing when the program runs.

#include "child_process.hpp"
#include "seccomp.hpp"

#include <cerrno>
#include <coracle/coracle.hpp>
#include <cstdio>
#include <cstdlib>
#include <doctest/doctest.h>
#include <string>
#include <sys/syscall.h>
#include <system_error>

using namespace coracle;
using namespace coracle::test;

namespace {

void say(const std::string& words) {
    std::fprintf(stderr, "%s\n", words.c_str());
}

} // namespace

TEST_CASE("kqueue: works on the emulation") {
    const backend_status status = probe_backend("kqueue");
    CHECK(status.works);
    CHECK(status.reason == "it works here");
}

TEST_CASE("kqueue: without the call it is an error that says why, and falls back to nothing") {
    for (const int error : {ENOSYS, EPERM}) {
        const child_outcome child = in_child_process([error] {
            ::unsetenv("CORACLE_BACKEND");
            forbid_call(SYS_epoll_create1, error); // the emulation's way to make a queue
            say(probe_backend("kqueue").reason);
            context_options options;
            options.backend = "kqueue";
            try {
                const context refused(options);
            } catch (const std::runtime_error& refusal) {
                say(refusal.what());
            }
        });
        const std::string words = "cannot set up kqueue: " + std::generic_category().message(error);
        CAPTURE(child.error_output);
        CHECK(child.error_output ==
              words + "\nthe backend kqueue was asked for but does not work here: " + words + "\n");
    }
}
