// SPDX-License-Identifier: MIT
//
// The shape of a leak scenario, and how its test runs the two programs.
//
// A scenario NAME has three files:
//
//   NAME_callback.cpp   the work in callback style, as a stranger would write it: raw system calls
//                       and a `void* user_data`, nothing of this library. It leaks.
//   NAME_coroutine.cpp  the same work with this library.
//   NAME_test.cpp       runs both as child processes and reads the figures that they tell; and
//                       tests the mechanism that makes the difference. Once for each backend.
//
// The programs tell their figures as lines "name=value" (see figures.hpp) and exit with 0; the test
// alone judges. Where the build has the leak sanitizer it has to have spoken after the first and
// must be silent after the second. A program that cannot do its work here calls `skip`.
#pragma once

#include "instrumented.hpp"
#include "program.hpp"

#include <charconv>
#include <cstdlib>
#include <doctest/doctest.h>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace coracle::test {

/// Whether the programs of this build end with a look at what was left on the heap.
#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool has_leak_sanitizer = true;
#elif defined(__has_feature)
inline constexpr bool has_leak_sanitizer = __has_feature(address_sanitizer);
#else
inline constexpr bool has_leak_sanitizer = false;
#endif

/// Whether there is time for less than a scenario's full number: a tool watches, or the kernel's
/// interface is emulated.
inline bool is_slow_here() {
    const char* const backend = std::getenv("CORACLE_BACKEND");
    return instrumented || (backend && std::string_view(backend) == "kqueue");
}

/// What came of a program.
class verdict {
public:
    verdict(int exit_code, std::string output, std::string complaint)
        : exit_code_(exit_code), output_(std::move(output)), complaint_(std::move(complaint)) {}

    [[nodiscard]] int exit_code() const { return exit_code_; }

    [[nodiscard]] const std::string& output() const { return output_; }

    [[nodiscard]] const std::string& complaint() const { return complaint_; }

    [[nodiscard]] bool said(std::string_view words) const {
        return complaint_.find(words) != std::string::npos;
    }

    /// Says why, if the program could not do its work here.
    [[nodiscard]] bool skipped() const {
        if (exit_code_ == 77)
            MESSAGE(output_);
        return exit_code_ == 77;
    }

    /// The value of the line "name=value".
    [[nodiscard]] long long operator[](std::string_view name) const {
        const std::string line = "\n" + std::string(name) + "=";
        const std::string text = "\n" + output_;
        const std::size_t at = text.find(line);
        INFO(name, " in: ", output_, complaint_);
        REQUIRE(at != std::string::npos);
        long long value = 0;
        const char* const begin = text.data() + at + line.size();
        std::from_chars(begin, text.data() + text.size(), value);
        return value;
    }

    /// That the program came to its end, and the leak sanitizer, if there is one, found a leak.
    void check_leak_found() const {
        INFO(output_, complaint_);
        if (has_leak_sanitizer) {
            CHECK(said("LeakSanitizer: detected memory leaks"));
            CHECK(exit_code_ != 0);
        } else {
            CHECK(exit_code_ == 0);
        }
    }

    /// That the program came to its end, and nobody complained.
    void check_clean() const {
        INFO(output_, complaint_);
        CHECK(exit_code_ == 0);
        CHECK(complaint_.empty());
    }

private:
    int exit_code_;
    std::string output_;
    std::string complaint_;
};

/// Runs a scenario's program, "user_data_callback", to its end. A program of this library takes the
/// backend that the test was given.
inline verdict run_leak_program(const std::string& name, std::vector<std::string> arguments = {}) {
    const std::string path = std::string(CORACLE_LEAK_PROGRAMS) + "/" + name;
    program child(path.c_str(), std::move(arguments));
    const int exit_code = child.exit_code();
    return verdict(exit_code, child.written, child.complaint);
}

} // namespace coracle::test
