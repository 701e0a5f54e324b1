// SPDX-License-Identifier: MIT
//
// What every benchmark program shares: its command line, its end, and its figures at the end. It
// uses nothing of the library, so that a yardstick stays a yardstick. A server is single threaded:
// it ends in a signal handler and not with the help of a second thread, because the kernel makes
// each call on a descriptor dearer once two threads share the table.
#pragma once

#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

namespace benchmark {

/// Ends the program with a message; `error` is an errno value.
[[noreturn]] inline void fail(const char* what, int error) {
    std::fprintf(stderr, "%s: %s\n", what, std::strerror(error));
    std::exit(EXIT_FAILURE);
}

/// The arguments that have not been taken yet. What nobody takes is an error.
class command_line {
public:
    command_line(int count, char** values) : rest_(values + 1, values + count) {}

    /// Takes `--name value`, or returns `fallback`.
    std::string_view take(std::string_view name, std::string_view fallback) {
        for (std::size_t i = 0; i + 1 < rest_.size(); ++i) {
            if (rest_[i] != name)
                continue;
            const std::string_view value = rest_[i + 1];
            const auto at = rest_.begin() + static_cast<std::ptrdiff_t>(i);
            rest_.erase(at, at + 2);
            return value;
        }
        return fallback;
    }

    /// Takes `--name value` as a number that is not negative.
    unsigned take_number(std::string_view name, unsigned fallback) {
        const std::string_view text = take(name, {});
        if (text.empty())
            return fallback;
        unsigned value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error != std::errc{} || end != text.data() + text.size())
            refuse(text);
        return value;
    }

    /// Takes `--name`; true if it was there.
    bool take_flag(std::string_view name) { return std::erase(rest_, name) != 0; }

    void finish() const {
        if (!rest_.empty())
            refuse(rest_.front());
    }

private:
    [[noreturn]] static void refuse(std::string_view text) {
        std::fprintf(stderr, "not understood: %.*s\n", static_cast<int>(text.size()), text.data());
        std::exit(EXIT_FAILURE);
    }

    std::vector<std::string_view> rest_;
};

/// Lets the program hold as many descriptors as the hard limit allows.
inline void raise_descriptor_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        fail("getrlimit", errno);
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        fail("setrlimit", errno);
}

/// Ends the program with a message unless it may hold `count` descriptors and a few of its own.
inline void require_descriptors(std::uint64_t count) {
    constexpr std::uint64_t own = 32;
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        fail("getrlimit", errno);
    if (limit.rlim_cur >= count + own)
        return;
    std::fprintf(stderr,
                 "%llu connections are more than the limit of descriptors allows: raise it "
                 "(ulimit -Hn, now %llu), or ask for fewer\n",
                 static_cast<unsigned long long>(count),
                 static_cast<unsigned long long>(limit.rlim_cur));
    std::exit(EXIT_FAILURE);
}

/// Reads that brought bytes. Atomic only because the signal handler reads it.
inline std::atomic<std::uint64_t> requests{0};

/// Counts one request without a locked instruction: one thread writes.
inline void count_request() {
    requests.store(requests.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

namespace detail {

inline char* append(char* at, std::string_view text) {
    std::memcpy(at, text.data(), text.size());
    return at + text.size();
}

inline std::uint64_t microseconds(const timeval& time) {
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000 +
           static_cast<std::uint64_t>(time.tv_usec);
}

/// Prints the figures with calls that are safe in a signal handler, and ends the process.
inline void report_and_exit(int) {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    char line[160];
    char* at = append(line, "requests=");
    at = std::to_chars(at, at + 20, requests.load(std::memory_order_relaxed)).ptr;
    at = append(at, " user_us=");
    at = std::to_chars(at, at + 20, microseconds(usage.ru_utime)).ptr;
    at = append(at, " system_us=");
    at = std::to_chars(at, at + 20, microseconds(usage.ru_stime)).ptr;
    at = append(at, "\n");
    const ssize_t written = write(STDOUT_FILENO, line, static_cast<std::size_t>(at - line));
    _exit(written > 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

} // namespace detail

/// From now on SIGTERM, SIGINT or the end of `guard_seconds` ends the program with its figures.
inline void report_at_end(unsigned guard_seconds) {
    struct sigaction action{};
    action.sa_handler = detail::report_and_exit;
    for (const int signal : {SIGTERM, SIGINT, SIGALRM})
        sigaction(signal, &action, nullptr);
    alarm(guard_seconds);
}

/// Tells the runner which port the kernel has chosen.
inline void announce_port(unsigned port) {
    std::printf("port=%u\n", port);
    std::fflush(stdout);
}

} // namespace benchmark
