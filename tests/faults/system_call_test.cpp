// SPDX-License-Identifier: MIT
//
// Each system call fails in each way that it can, the first time, the second time, and so on. What
// the caller cannot help stays hidden from it; everything else arrives unchanged.

#include "fault_sweep.hpp"

#include <cerrno>
#include <coracle/io/backend.hpp>
#include <cstdlib>
#include <fcntl.h>
#include <string_view>
#include <vector>

using namespace coracle;
using namespace coracle::test;
using namespace std::chrono_literals;

namespace {

enum class effect {
    hidden,   // the caller does not see it
    paused,   // nor this, but whoever runs the program hears of it
    reported, // unchanged
    either,   // by what it was needed for
};

struct failing_call {
    const char* call;
    effect seen;
    std::vector<int> errors;
};

/// By their manual pages; a request to an io_uring fails as the call of its name does.
const std::vector<failing_call> failing_calls = {
    {"socket", effect::reported, {EMFILE, ENFILE, ENOBUFS, ENOMEM, EACCES}},
    {"bind", effect::reported, {EADDRINUSE, EACCES, EADDRNOTAVAIL}},
    {"listen", effect::reported, {EADDRINUSE}},
    {"getsockname", effect::reported, {ENOBUFS}},
    {"setsockopt", effect::reported, {ENOMEM, ENOBUFS}},
    {"shutdown", effect::reported, {ENOTCONN, ENOBUFS}},
    {"fcntl", effect::reported, {EPERM}},
    {"close", effect::hidden, {EINTR, EIO}},
    {"accept", effect::hidden, {EINTR, EAGAIN, ECONNABORTED, EPROTO, ENETDOWN, EHOSTUNREACH}},
    {"accept", effect::paused, {EMFILE, ENFILE, ENOBUFS, ENOMEM}},
    {"accept", effect::reported, {EPERM, EINVAL}},
    {"connect", effect::hidden, {EINTR, EAGAIN}},
    {"connect_begun", effect::hidden, {EINPROGRESS}},
    {"connected", effect::reported, {ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH}},
    {"getpeername", effect::reported, {ENOBUFS}},
    {"connect", effect::reported, {ECONNREFUSED, ETIMEDOUT, ENETUNREACH, EADDRNOTAVAIL, EPERM}},
    {"recv", effect::hidden, {EINTR, EAGAIN}},
    {"recv", effect::reported, {ECONNRESET, ETIMEDOUT, ENOMEM, EHOSTUNREACH}},
    {"recv_now", effect::hidden, {EINTR}},
    {"recv_now", effect::reported, {ECONNRESET, ENOMEM}},
    {"recv_many", effect::hidden, {EINTR, ENOBUFS, ECANCELED}},
    {"recv_many", effect::reported, {ECONNRESET, ENOMEM, ETIMEDOUT}},
    {"recvmsg", effect::hidden, {EINTR, EAGAIN}},
    {"recvmsg", effect::reported, {ECONNRESET, ETIMEDOUT, ENOMEM}},
    {"recvmsg_now", effect::hidden, {EINTR}},
    {"recvmsg_now", effect::reported, {ECONNRESET, ENOMEM}},
    {"send", effect::hidden, {EINTR, EAGAIN, fault::cut_short}},
    {"send", effect::reported, {EPIPE, ECONNRESET, ENOBUFS, ENOMEM, ETIMEDOUT}},
    {"sendmsg", effect::hidden, {EINTR, EAGAIN, fault::cut_short}},
    {"sendmsg", effect::reported, {EPIPE, ECONNRESET, ENOBUFS, ENOMEM}},
    {"epoll_ctl", effect::either, {ENOMEM, ENOSPC}},
    {"epoll_wait", effect::hidden, {EINTR}},
    {"epoll_pwait2", effect::hidden, {EINTR, ENOSYS}},
    {"poll", effect::hidden, {ENOMEM, EINVAL, ECANCELED}},
    {"read", effect::hidden, {EINTR, EAGAIN}},
    {"wake_read", effect::hidden, {EINTR, EAGAIN, ENOMEM, ECANCELED}},
    {"write", effect::hidden, {EINTR}},
    {"io_uring_enter", effect::hidden, {EINTR, EAGAIN, EBUSY, ETIME}},
};

bool answers_as_planned() {
    const char* const name = std::getenv("CORACLE_BACKEND");
    if (!name || std::string_view(name) != "io_uring" || can_answer_requests())
        return true;
    MESSAGE("skipped, because this kernel's io_uring cannot be told what to answer (Linux 6.10)");
    return false;
}

void check(const fault_outcome& outcome, effect expected, int error) {
    switch (expected) {
    case effect::hidden:
        CHECK(outcome.completed());
        CHECK(outcome.warnings == 0);
        break;
    case effect::paused:
        CHECK(outcome.completed());
        CHECK(outcome.warnings == 1);
        break;
    case effect::reported:
        CHECK(outcome.failed_with(error));
        break;
    case effect::either:
        CHECK((outcome.completed() || outcome.failed_with(error)));
        break;
    }
}

/// How often something failed.
template <class Scenario>
int fail_everything(Scenario scenario) {
    int struck = 0;
    for (const failing_call& failing : failing_calls) {
        for (const int error : failing.errors) {
            struck += fail_each(failing.call, error, scenario, [&](const fault_outcome& outcome) {
                check(outcome, failing.seen, error);
            });
        }
    }
    return struck;
}

/// Wakes itself as another thread would, and is not asleep.
task<> woken() {
    for (int i = 0; i < 3; ++i) {
        backend::current()->wake();
        co_await sleep_for(1us);
    }
}

} // namespace

TEST_CASE("system calls: each one fails in each way during conversations") {
    if (answers_as_planned())
        CHECK(fail_everything(conversations) > 250);
}

TEST_CASE("system calls: each one fails in each way while everybody waits for everybody") {
    if (answers_as_planned())
        CHECK(fail_everything(transfer) > 100);
}

TEST_CASE("system calls: each one fails in each way while many are accepted") {
    if (answers_as_planned())
        CHECK(fail_everything(burst) > 50);
}

TEST_CASE("system calls: each one fails in each way while bytes come into buffers of a pool") {
    if (answers_as_planned())
        CHECK(fail_everything(received) > 50);
}

TEST_CASE("system calls: each one fails in each way while a stream is handed on") {
    if (answers_as_planned())
        CHECK(fail_everything(handed_on) > 50);
}

TEST_CASE("system calls: each one fails in each way that a signal can meet") {
    for (const int error : {EMFILE, ENFILE, ENOMEM}) {
        CHECK(fail_each("socketpair", error, signalled, [&](const fault_outcome& outcome) {
                  check(outcome, effect::reported, error);
              }) == 1);
    }
    CHECK(fail_each("send", EINTR, signalled, [](const fault_outcome& outcome) {
              check(outcome, effect::hidden, EINTR);
          }) == 2);
}

TEST_CASE("system calls: each one fails in each way while the loop is woken") {
    if (answers_as_planned())
        CHECK(fail_everything(woken) > 3);
}

TEST_CASE("adopt: made to block for a kernel that cannot wait, it is given back as it was found") {
    run_clean([]() -> task<> {
        const auto blocks = [](native_handle handle) {
            return (::fcntl(static_cast<int>(handle), F_GETFL) & O_NONBLOCK) == 0;
        };
        const auto ends = raw_pair();
        make_non_blocking(ends.first);
        const native_handle shared = ::fcntl(static_cast<int>(ends.first), F_DUPFD_CLOEXEC, 0);
        tcp_stream here = tcp_stream::adopt(ends.first);
        tcp_stream there = tcp_stream::adopt(ends.second);
        auto answering = [&]() -> task<> {
            co_await iterations();
            co_await there.write(std::string_view("x"));
        };
        {
            const fault planned("recv", 1, EAGAIN);
            co_await when_all(read_text(here, 1), answering());
        }
        const bool on_ring = context::current().backend_name() == "io_uring";
        CHECK(blocks(shared) == (on_ring && can_answer_requests()));
        close_raw(here.release());
        CHECK_FALSE(blocks(shared));
        close_raw(shared);
    });
}
