// SPDX-License-Identifier: MIT
//
// There is no fork: the child is this program once more, told to run the test case that is running.
// It comes to the same call of in_child_process by itself, which then does the work.
#include "../child_process.hpp"
#include "create_process.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <io.h>
#include <system_error>

#include <windows.h>

namespace coracle::test {

namespace {

constexpr const char* variable = "CORACLE_TEST_CHILD"; // which call in its test case does the work
constexpr int exit_code_aborted = 3;
constexpr int exit_code_unreached = 4; // the child's test case has ended before the work came
constexpr DWORD guard_ms = 60'000;

std::string running_case;
int calls = 0; // in this test case

struct case_listener : doctest::IReporter {
    explicit case_listener(const doctest::ContextOptions&) {}

    void test_case_start(const doctest::TestCaseData& started) override {
        running_case = started.m_name;
        calls = 0;
    }

    void report_query(const doctest::QueryData&) override {}

    void test_run_start() override {}

    void test_run_end(const doctest::TestRunStats&) override {
        if (std::getenv(variable))
            std::_Exit(exit_code_unreached);
    }

    void test_case_reenter(const doctest::TestCaseData&) override {}

    void test_case_end(const doctest::CurrentTestCaseStats&) override {}

    void test_case_exception(const doctest::TestCaseException&) override {}

    void subcase_start(const doctest::SubcaseSignature&) override {}

    void subcase_end() override {}

    void log_assert(const doctest::AssertData&) override {}

    void log_message(const doctest::MessageData&) override {}

    void test_case_skipped(const doctest::TestCaseData&) override {}
};

REGISTER_LISTENER("case_listener", 1, case_listener);

[[noreturn]] void fail(const char* what) {
    throw std::system_error(static_cast<int>(::GetLastError()), std::system_category(), what);
}

/// A handle that closes itself.
class owned_handle {
public:
    explicit owned_handle(HANDLE handle) noexcept : handle_(handle) {}

    owned_handle(const owned_handle&) = delete;
    owned_handle& operator=(const owned_handle&) = delete;

    ~owned_handle() { ::CloseHandle(handle_); }

    [[nodiscard]] HANDLE get() const noexcept { return handle_; }

private:
    HANDLE handle_;
};

/// A file that children inherit, and that goes with its last handle.
HANDLE open_inherited_file() {
    std::array<char, MAX_PATH> folder = {};
    std::array<char, MAX_PATH> name = {};
    ::GetTempPathA(static_cast<DWORD>(folder.size()), folder.data());
    if (::GetTempFileNameA(folder.data(), "cor", 0, name.data()) == 0)
        fail("GetTempFileName");
    SECURITY_ATTRIBUTES inherited = {sizeof inherited, nullptr, TRUE};
    const HANDLE file =
        ::CreateFileA(name.data(), GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE,
                      &inherited, CREATE_ALWAYS, FILE_FLAG_DELETE_ON_CLOSE, nullptr);
    if (file == INVALID_HANDLE_VALUE)
        fail("CreateFile");
    return file;
}

std::string contents_of(HANDLE file) {
    std::string text;
    std::array<char, 4096> piece = {};
    ::SetFilePointer(file, 0, nullptr, FILE_BEGIN);
    for (DWORD count = 0;
         ::ReadFile(file, piece.data(), static_cast<DWORD>(piece.size()), &count, nullptr) &&
         count > 0;)
        text.append(piece.data(), count);
    return text;
}

/// The command line of a child that runs this test case alone.
std::string command_line() {
    std::array<char, MAX_PATH> program = {};
    ::GetModuleFileNameA(nullptr, program.data(), static_cast<DWORD>(program.size()));
    std::string pattern = running_case; // in which a question mark stands for any character
    std::replace_if(
        pattern.begin(), pattern.end(), [](char each) { return each == ',' || each == '"'; }, '?');
    return "\"" + std::string(program.data()) + "\" \"--test-case=" + pattern + "\" --no-version";
}

[[noreturn]] void do_work(const std::function<void()>& work) {
    ::_setmode(::_fileno(stderr), _O_BINARY);
    std::signal(SIGABRT, [](int) { std::_Exit(exit_code_aborted); }); // says nothing of its own
    work();
    std::fflush(stderr);
    std::_Exit(EXIT_SUCCESS);
}

DWORD run_child(HANDLE errors) {
    STARTUPINFOA how = {};
    how.cb = sizeof how;
    how.dwFlags = STARTF_USESTDHANDLES;
    const owned_handle unread(open_inherited_file());
    how.hStdInput = unread.get();
    how.hStdOutput = unread.get(); // what the child thinks of its other checks
    how.hStdError = errors;
    PROCESS_INFORMATION made = {};
    ::SetEnvironmentVariableA(variable, std::to_string(calls).c_str());
    const bool created = create_process(command_line(), how, made);
    ::SetEnvironmentVariableA(variable, nullptr);
    if (!created)
        fail("CreateProcess");
    const owned_handle process(made.hProcess);
    const owned_handle thread(made.hThread);
    if (::WaitForSingleObject(process.get(), guard_ms) != WAIT_OBJECT_0)
        ::TerminateProcess(process.get(), EXIT_FAILURE);
    DWORD code = EXIT_FAILURE;
    ::GetExitCodeProcess(process.get(), &code);
    return code;
}

} // namespace

child_outcome in_child_process(const std::function<void()>& work) {
    ++calls;
    if (const char* const wanted = std::getenv(variable)) {
        if (std::atoi(wanted) == calls)
            do_work(work);
        return {}; // another child's
    }
    const owned_handle errors(open_inherited_file());
    const DWORD code = run_child(errors.get());
    child_outcome outcome;
    outcome.error_output = contents_of(errors.get());
    outcome.aborted = code == exit_code_aborted;
    outcome.succeeded = code == EXIT_SUCCESS;
    return outcome;
}

} // namespace coracle::test
