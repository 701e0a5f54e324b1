// SPDX-License-Identifier: MIT
//
// What a hostile system does to us: no permission, a blocked io_uring, too few descriptors, too
// little memory to lock. Each in a child process, where it can be brought about for good.

#include "child_process.hpp"
#include "clean_run.hpp"
#include "connected.hpp"
#include "instrumented.hpp"
#include "seccomp.hpp"

#include <coracle/coracle.hpp>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <string>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

using namespace coracle;
using namespace coracle::test;
using namespace std::chrono_literals;
using namespace std::string_view_literals;

namespace {

/// Says something to the parent, which looks for it in the child's error output.
void say(const std::string& line) {
    std::fprintf(stderr, "%s\n", line.c_str());
}

/// Runs `work` in a child; an exception becomes words.
template <class Work>
child_outcome in_child(Work work) {
    return in_child_process([&work] {
        try {
            work();
        } catch (const std::exception& error) {
            say(std::string("threw: ") + error.what());
        }
    });
}

std::size_t count_of(std::string_view words, std::string_view text) {
    std::size_t count = 0;
    for (std::size_t at = 0; (at = text.find(words, at)) != std::string_view::npos; ++at)
        ++count;
    return count;
}

task<> talk_to_itself() {
    connection ends = co_await connect_ends();
    co_await ends.here.write("works"sv);
    const std::string text = co_await read_text(ends.there, 5);
    say("echoed " + text);
}

/// Runs a program that leaves the choice to the library, and tells what it chose.
void run_with_free_choice() {
    ::unsetenv("CORACLE_BACKEND");
    context here;
    here.run(talk_to_itself());
    say("on " + std::string(here.backend_name()) + " because " + here.backend_reason());
}

void limit(int resource, rlim_t most) {
    const rlimit limits = {most, most};
    if (::setrlimit(static_cast<__rlimit_resource>(resource), &limits) != 0)
        throw std::system_error(errno, std::generic_category(), "setrlimit");
}

/// A user of this process only, since locked memory is counted for each user.
void become_unprivileged() {
    const auto unused = static_cast<uid_t>(100'000 + ::getpid());
    if (::setgid(unused) != 0 || ::setuid(unused) != 0)
        throw std::system_error(errno, std::generic_category(), "setuid");
}

bool is_root() {
    if (::geteuid() == 0)
        return true;
    MESSAGE("skipped, because only root can become somebody else");
    return false;
}

bool io_uring_works() {
    const backend_status status = probe_backend("io_uring");
    if (!status.works)
        MESSAGE("skipped, because io_uring does not work here anyway: " << status.reason);
    return status.works;
}

/// Whether a process may be left without descriptors; says so where it may not.
bool may_take_all_descriptors() {
    if (checks_types)
        MESSAGE("skipped, because the check of types at run time needs descriptors of its own");
    if (for_valgrind)
        MESSAGE("skipped, because valgrind keeps descriptors for itself");
    return !checks_types && !for_valgrind;
}

struct blocked_call {
    const char* name;
    long number;
    int error;
    const char* words;
};

constexpr blocked_call blocked_calls[] = {
    {"io_uring_setup", SYS_io_uring_setup, EPERM, "io_uring_setup failed: Operation not permitted"},
    {"io_uring_setup", SYS_io_uring_setup, ENOSYS, "io_uring_setup failed: Function not impl"},
    {"io_uring_enter", SYS_io_uring_enter, EPERM, "io_uring_enter failed: Operation not permitted"},
    {"io_uring_enter", SYS_io_uring_enter, ENOSYS, "io_uring_enter failed: Function not impl"},
};

} // namespace

TEST_CASE("limits: a free choice takes the best that works, and says nothing") {
    if (!io_uring_works())
        return;
    const child_outcome child = in_child(run_with_free_choice);
    CHECK(child.said("echoed works"));
    CHECK(child.said("on io_uring because the best one that works here"));
    CHECK_FALSE(child.said("coracle:"));
}

TEST_CASE("limits: a blocked io_uring falls back to epoll and says so once") {
    for (const blocked_call& blocked : blocked_calls) {
        CAPTURE(std::string(blocked.words));
        const child_outcome child = in_child([&] {
            forbid_call(blocked.number, blocked.error);
            run_with_free_choice();
            run_with_free_choice(); // another context of the same program says nothing new
        });
        CAPTURE(child.error_output);
        CHECK(child.said("echoed works"));
        CHECK(child.said("on epoll because"));
        CHECK(count_of("coracle:", child.error_output) == 1);
        CHECK(count_of(blocked.words, child.error_output) == 3); // a warning and two reasons
    }
}

TEST_CASE("limits: a blocked io_uring that was asked for is an error that says why") {
    for (const blocked_call& blocked : blocked_calls) {
        CAPTURE(std::string(blocked.words));
        const child_outcome by_option = in_child([&] {
            forbid_call(blocked.number, blocked.error);
            ::unsetenv("CORACLE_BACKEND");
            context_options options;
            options.backend = "io_uring";
            run(talk_to_itself(), options);
        });
        CAPTURE(by_option.error_output);
        CHECK(by_option.said("threw: the backend io_uring was asked for but does not work here"));
        CHECK(by_option.said(blocked.words));
        CHECK_FALSE(by_option.said("echoed"));
        const child_outcome by_environment = in_child([&] {
            forbid_call(blocked.number, blocked.error);
            ::setenv("CORACLE_BACKEND", "io_uring", 1);
            run(talk_to_itself());
        });
        CHECK(by_environment.said(blocked.words));
        CHECK_FALSE(by_environment.said("echoed"));
    }
}

TEST_CASE("limits: a backend that does not exist is an error that names those that do") {
    const child_outcome child = in_child([] {
        ::unsetenv("CORACLE_BACKEND");
        context_options options;
        options.backend = "carrier pigeon";
        run(talk_to_itself(), options);
    });
    CHECK(child.said("threw: there is no backend called 'carrier pigeon'"));
    CHECK(child.said("io_uring"));
    CHECK(child.said("epoll"));
    CHECK_THROWS_AS(static_cast<void>(probe_backend("")), std::invalid_argument);
}

TEST_CASE("limits: a port that is not allowed is an error that names it") {
    if (!is_root())
        return;
    const child_outcome child = in_child([] {
        become_unprivileged();
        try {
            run([]() -> task<> {
                tcp_listener listener = tcp_listener::bind(address::any_v4(80));
                co_return;
            }());
        } catch (const std::system_error& error) {
            const bool forbidden = error.code() == std::errc::permission_denied;
            say((forbidden ? "not permitted: " : "other: ") + std::string(error.what()));
        }
    });
    CAPTURE(child.error_output);
    std::FILE* const setting = std::fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "r");
    int first_free = 1024;
    REQUIRE(setting != nullptr);
    REQUIRE(std::fscanf(setting, "%d", &first_free) == 1);
    std::fclose(setting);
    if (first_free <= 80) {
        MESSAGE("skipped, because here every user may listen on port 80");
        return;
    }
    CHECK(child.said("not permitted:"));
    CHECK(child.said("0.0.0.0:80"));
}

TEST_CASE("limits: without descriptors accepting pauses, says so once, and goes on") {
    if (!may_take_all_descriptors())
        return;
    const child_outcome child = in_child([] {
        run([]() -> task<> {
            tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
            tcp_stream waiting = tcp_stream::adopt(connect_raw(listener.local_address()));
            std::vector<int> hoard; // every descriptor that there is
            limit(RLIMIT_NOFILE, 64);
            for (int taken = 0; taken >= 0;) {
                taken = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
                if (taken >= 0)
                    hoard.push_back(taken);
            }
            rusage before = {};
            ::getrusage(RUSAGE_SELF, &before);
            auto relief = [&]() -> task<> {
                co_await sleep_for(400ms);
                rusage after = {};
                ::getrusage(RUSAGE_SELF, &after);
                const auto spent_us = [](const rusage& usage) {
                    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1'000'000 +
                           usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
                };
                say(spent_us(after) - spent_us(before) < 100'000 ? "calm" : "busy");
                ::close(hoard.back());
            };
            auto both = co_await when_all(listener.accept(), relief());
            say("accepted " + std::to_string(std::get<0>(both).is_open()));
            for (const int each : hoard)
                ::close(each);
            // And once it is over, all is well.
            connection ends = co_await connect_to(listener);
            say("again " + std::to_string(ends.there.is_open()));
        }());
    });
    CAPTURE(child.error_output);
    CHECK(child.said("accepted 1"));
    CHECK(child.said("again 1"));
    CHECK(child.said("calm"));
    CHECK(count_of("coracle: accepting pauses", child.error_output) == 1);
}

TEST_CASE("limits: connecting without descriptors is an error") {
    if (!may_take_all_descriptors())
        return;
    const child_outcome child = in_child([] {
        run([]() -> task<> {
            tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
            limit(RLIMIT_NOFILE, 0);
            bool refused = false;
            try {
                tcp_stream peer = co_await tcp_stream::connect(listener.local_address());
            } catch (const std::system_error& error) {
                refused = error.code() == std::errc::too_many_files_open;
            }
            say("refused " + std::to_string(refused));
        }());
    });
    CAPTURE(child.error_output);
    CHECK(child.said("refused 1"));
}

TEST_CASE("limits: without memory to lock, no running loop sleeps until there is some") {
    const auto make_and_register = [] {
        forbid_call(SYS_io_uring_setup, ENOMEM);
        forbid_call(SYS_io_uring_register, ENOMEM);
        end_at_call(SYS_nanosleep);
        end_at_call(SYS_clock_nanosleep);
        const buffer_pool pool(4, 4096, registration::wanted);
        say(probe_backend("io_uring").works ? "made" : "refused");
        say(pool.registered() ? "registered" : "unregistered");
    };
    const child_outcome within = in_child([&] {
        auto probing = [&]() -> task<> {
            make_and_register();
            co_return;
        };
        run(probing());
    });
    CAPTURE(within.error_output);
    CHECK(within.said("refused"));
    CHECK(within.said("unregistered"));
    CHECK(within.succeeded);
    const child_outcome outside = in_child(make_and_register);
    CHECK_FALSE(outside.said("refused")); // it had to sleep, and was ended
    CHECK_FALSE(outside.succeeded);
}

TEST_CASE("limits: with little memory to lock, a smaller ring or epoll, said once") {
    if (!is_root() || !io_uring_works())
        return;
    const auto with_locked_bytes = [](rlim_t bytes) {
        return in_child([bytes] {
            limit(RLIMIT_MEMLOCK, bytes);
            become_unprivileged();
            run_with_free_choice();
        });
    };
    const child_outcome plenty = with_locked_bytes(8U << 20);
    CAPTURE(plenty.error_output);
    CHECK(plenty.said("on io_uring"));
    CHECK_FALSE(plenty.said("coracle:"));

    bool smaller_ring = false;
    for (const rlim_t bytes : {0U, 4096U, 16384U, 24576U, 32768U}) {
        CAPTURE(bytes);
        const child_outcome little = with_locked_bytes(bytes);
        CAPTURE(little.error_output);
        CHECK(little.said("echoed works"));
        const bool on_ring = little.said("on io_uring");
        CHECK(on_ring != little.said("on epoll"));
        // One line of what the ring does without, and one more if that is multishot receive too.
        const auto lines = count_of("coracle:", little.error_output);
        CHECK(lines == 1 + count_of("does not use multishot receive", little.error_output));
        CHECK(little.said("ulimit -l"));
        smaller_ring = smaller_ring || (on_ring && little.said("allows a ring of"));
    }
    CHECK(smaller_ring);
}
