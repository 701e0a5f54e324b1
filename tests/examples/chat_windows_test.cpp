// SPDX-License-Identifier: MIT
//
// The chat server as a program of Windows, driven by clients of this process: what it says on a
// line is waited for, and nothing else.

#include <array>
#include <coracle/coracle.hpp>
#include <doctest/doctest.h>
#include <string>

#include <windows.h>

using namespace coracle;

namespace {

/// A child process whose output is read line by line; it does not outlive the object.
class program {
public:
    explicit program(std::string command_line) {
        SECURITY_ATTRIBUTES inherited = {sizeof inherited, nullptr, TRUE};
        HANDLE written_to = nullptr;
        REQUIRE(::CreatePipe(&output_, &written_to, &inherited, 0));
        ::SetHandleInformation(output_, HANDLE_FLAG_INHERIT, 0);
        STARTUPINFOA how = {};
        how.cb = sizeof how;
        how.dwFlags = STARTF_USESTDHANDLES;
        how.hStdOutput = written_to;
        how.hStdError = written_to;
        REQUIRE(::CreateProcessA(nullptr, command_line.data(), nullptr, nullptr, TRUE, 0, nullptr,
                                 nullptr, &how, &made_));
        ::CloseHandle(written_to);
    }

    ~program() {
        ::TerminateProcess(made_.hProcess, EXIT_FAILURE);
        ::WaitForSingleObject(made_.hProcess, INFINITE);
        ::CloseHandle(made_.hProcess);
        ::CloseHandle(made_.hThread);
        ::CloseHandle(output_);
    }

    program(const program&) = delete;
    program& operator=(const program&) = delete;

    /// The next line without its end.
    std::string line() {
        std::string text;
        char next = 0;
        DWORD count = 0;
        while (::ReadFile(output_, &next, 1, &count, nullptr) && count == 1 && next != '\n')
            text += next;
        if (!text.empty() && text.back() == '\r')
            text.pop_back();
        return text;
    }

    DWORD exit_code() {
        ::WaitForSingleObject(made_.hProcess, INFINITE);
        DWORD code = EXIT_FAILURE;
        ::GetExitCodeProcess(made_.hProcess, &code);
        return code;
    }

private:
    HANDLE output_ = nullptr;
    PROCESS_INFORMATION made_ = {};
};

task<> say(tcp_stream& from, std::string text) {
    co_await from.write(text + "\n");
}

task<std::string> next_line(line_reader& from) {
    const std::optional<std::string_view> line = co_await from.next();
    REQUIRE(line.has_value());
    co_return std::string(*line);
}

task<> talk(address server) {
    tcp_stream alice = co_await tcp_stream::connect(server);
    line_reader to_alice(alice);
    std::string line = co_await next_line(to_alice);
    CHECK(line.starts_with("* welcome, guest1"));
    co_await say(alice, "/nick alice");
    line = co_await next_line(to_alice);
    CHECK(line == "* guest1 is now alice");
    tcp_stream bob = co_await tcp_stream::connect(server);
    line_reader to_bob(bob);
    line = co_await next_line(to_bob);
    CHECK(line.starts_with("* welcome, guest2"));
    line = co_await next_line(to_alice);
    CHECK(line == "* guest2 joined");
    co_await say(bob, "hello");
    line = co_await next_line(to_alice);
    CHECK(line == "<guest2> hello");
    bob.close();
    line = co_await next_line(to_alice);
    CHECK(line == "* guest2 left");
}

} // namespace

TEST_CASE("chat program: people talk, on Windows") {
    program chat("\"" CORACLE_CHAT "\" --port 0");
    const std::string listening = chat.line();
    REQUIRE(listening.starts_with("chat: listening on 127.0.0.1:"));
    CHECK(chat.line().starts_with("chat: the backend is "));
    const address server = address::parse(listening.substr(listening.rfind(' ') + 1));
    run(with_timeout(std::chrono::seconds(60), talk(server)));
}

TEST_CASE("chat program: what it does not understand it says, on Windows") {
    program chat("\"" CORACLE_CHAT "\" --port many");
    CHECK(chat.line().starts_with("chat: --port needs a number"));
    CHECK(chat.exit_code() == 2);
}
