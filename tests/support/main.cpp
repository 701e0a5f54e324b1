// SPDX-License-Identifier: MIT
//
// The entry of every test program. It refuses to pass when the filters chose no test at all, so
// that a renamed file cannot turn its ctest entry into an empty success. A program whose tests need
// a backend is told which one by CORACLE_BACKEND, and exits 77, which ctest reads as skipped, where
// that backend does not work. Where CORACLE_RESULTS names a file, it writes there what came of each
// test case, for the table of the backends.

#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include "stand_ins.hpp"

#ifdef CORACLE_TEST_BACKENDS
#include <coracle/io/context.hpp>
#endif

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

namespace {

constexpr int exit_code_skipped = 77;

bool ran_nothing = false;

/// Notices a run in which no test case passed the filters.
struct empty_run_listener : doctest::IReporter {
    explicit empty_run_listener(const doctest::ContextOptions&) {}

    void test_run_end(const doctest::TestRunStats& stats) override {
        ran_nothing = stats.numTestCasesPassingFilters == 0;
    }

    void report_query(const doctest::QueryData&) override {}

    void test_run_start() override {}

    void test_case_start(const doctest::TestCaseData&) override {}

    void test_case_reenter(const doctest::TestCaseData&) override {}

    void test_case_end(const doctest::CurrentTestCaseStats&) override {}

    void test_case_exception(const doctest::TestCaseException&) override {}

    void subcase_start(const doctest::SubcaseSignature&) override {}

    void subcase_end() override {}

    void log_assert(const doctest::AssertData&) override {}

    void log_message(const doctest::MessageData&) override {}

    void test_case_skipped(const doctest::TestCaseData&) override {}
};

REGISTER_LISTENER("empty_run", 1, empty_run_listener);

/// Writes a line for each test case: passed or failed, its name, and what it said, with tabs.
struct results_listener : empty_run_listener {
    using empty_run_listener::empty_run_listener;

    void test_run_end(const doctest::TestRunStats&) override {}

    void test_run_start() override {
        const char* const path = std::getenv("CORACLE_RESULTS");
        if (path && *path)
            file_.open(path);
    }

    void test_case_start(const doctest::TestCaseData& started) override {
        name_ = started.m_name;
        said_.clear();
    }

    void test_case_end(const doctest::CurrentTestCaseStats& stats) override {
        file_ << (stats.failure_flags == 0 ? "passed" : "failed") << '\t' << name_ << '\t' << said_
              << '\n';
    }

    void log_message(const doctest::MessageData& message) override {
        said_ = message.m_string.c_str();
    }

private:
    std::ofstream file_; // not open, it takes nothing
    std::string name_;
    std::string said_;
};

REGISTER_LISTENER("results", 1, results_listener);

/// Whether the backend that CORACLE_BACKEND asks for works here; says why where it does not.
bool backend_works() {
#ifdef CORACLE_TEST_BACKENDS
    const char* name = std::getenv("CORACLE_BACKEND");
    if (name && *name) {
        const coracle::backend_status status = coracle::probe_backend(name);
        if (!status.works)
            std::printf("skipped, because %s\n", status.reason.c_str());
        return status.works;
    }
#endif
    return true;
}

} // namespace

int main(int argument_count, char** arguments) {
    coracle::test::install_stand_ins();
    if (!backend_works())
        return exit_code_skipped;

    doctest::Context context(argument_count, arguments);
    const int exit_code = context.run();
    if (ran_nothing) {
        std::fprintf(stderr, "no test case matches the filters\n");
        return EXIT_FAILURE;
    }
    return exit_code;
}
