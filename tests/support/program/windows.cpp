// SPDX-License-Identifier: MIT
#include "../program.hpp"
#include "../windows/create_process.hpp"

#include <array>
#include <coracle/io/windows/winsock.hpp>
#include <cstdlib>
#include <doctest/doctest.h>
#include <stdexcept>
#include <utility>

namespace coracle::test {

namespace {

void check(bool worked, const char* call) {
    if (!worked)
        throw std::system_error(windows::last_error(), call);
}

HANDLE native(native_handle handle) {
    return reinterpret_cast<HANDLE>(handle);
}

SOCKET socket_of(native_handle handle) {
    return static_cast<SOCKET>(handle);
}

/// Gives this process and its children a console, over which Ctrl-C reaches them all; this process
/// does not respect it.
void need_console() {
    static const bool done = [] {
        ::FreeConsole();
        check(::AllocConsole(), "AllocConsole");
        check(::SetConsoleCtrlHandler([](DWORD) { return TRUE; }, TRUE), "SetConsoleCtrlHandler");
        return true;
    }();
    static_cast<void>(done);
}

/// What a program may write before anybody reads.
constexpr DWORD pipe_bytes = 1 << 16;

struct pipe_ends {
    HANDLE ours = nullptr;
    HANDLE theirs = nullptr;
};

pipe_ends make_pipe() {
    SECURITY_ATTRIBUTES inherited = {sizeof inherited, nullptr, TRUE};
    pipe_ends made;
    check(::CreatePipe(&made.ours, &made.theirs, &inherited, pipe_bytes), "CreatePipe");
    check(::SetHandleInformation(made.ours, HANDLE_FLAG_INHERIT, 0), "SetHandleInformation");
    return made;
}

/// None of our arguments has a quotation mark or a backslash in it.
std::string command_line(const char* path, const std::vector<std::string>& arguments) {
    std::string line = "\"" + std::string(path) + "\"";
    for (const std::string& each : arguments)
        line += " \"" + each + "\"";
    return line;
}

} // namespace

void pipe_end::close() noexcept {
    if (handle_ != no_handle)
        ::CloseHandle(native(std::exchange(handle_, no_handle)));
}

// Nothing waits for a pipe and a clock at the same time: for a line that does not come, ctest's
// limit is the guard.
std::string pipe_end::read_some(int) {
    std::string piece;
    if (handle_ == no_handle)
        return piece;
    do {
        piece.resize(4096);
        DWORD count = 0;
        if (!::ReadFile(native(handle_), piece.data(), static_cast<DWORD>(piece.size()), &count,
                        nullptr))
            return {};
        piece.resize(count);
        std::erase(piece, '\r');
    } while (piece.empty());
    return piece;
}

blocking_connection::blocking_connection(std::uint16_t port, int receive_buffer_bytes) {
    windows::start_winsock();
    windows::owned_socket made(windows::open_stream(AF_INET, 0));
    check(made.get() != INVALID_SOCKET, "socket");
    if (receive_buffer_bytes > 0)
        check(::setsockopt(made.get(), SOL_SOCKET, SO_RCVBUF,
                           reinterpret_cast<const char*>(&receive_buffer_bytes),
                           sizeof receive_buffer_bytes) == 0,
              "setsockopt");
    sockaddr_in server = {};
    server.sin_family = AF_INET;
    server.sin_port = ::htons(port);
    server.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    check(::connect(made.get(), reinterpret_cast<const sockaddr*>(&server), sizeof server) == 0,
          "connect");
    handle_ = static_cast<native_handle>(made.release());
}

blocking_connection::~blocking_connection() {
    if (handle_ != no_handle)
        ::closesocket(socket_of(handle_));
}

std::string blocking_connection::read_some(int within_ms) {
    WSAPOLLFD waiting = {socket_of(handle_), POLLRDNORM, 0};
    const int ready = ::WSAPoll(&waiting, 1, within_ms);
    REQUIRE(ready == 1);
    std::array<char, 4096> piece;
    const int count = ::recv(socket_of(handle_), piece.data(), static_cast<int>(piece.size()), 0);
    return count > 0 ? std::string(piece.data(), static_cast<std::size_t>(count)) : std::string();
}

void blocking_connection::send(std::string_view bytes) {
    while (!bytes.empty()) {
        const int count =
            ::send(socket_of(handle_), bytes.data(), static_cast<int>(bytes.size()), 0);
        REQUIRE(count > 0);
        bytes.remove_prefix(static_cast<std::size_t>(count));
    }
}

void blocking_connection::end_sending() {
    check(::shutdown(socket_of(handle_), SD_SEND) == 0, "shutdown");
}

void blocking_connection::reset() {
    const linger at_once = {1, 0};
    check(::setsockopt(socket_of(handle_), SOL_SOCKET, SO_LINGER,
                       reinterpret_cast<const char*>(&at_once), sizeof at_once) == 0,
          "setsockopt");
    ::closesocket(socket_of(std::exchange(handle_, no_handle)));
}

program::started program::start(const char* path, const std::vector<std::string>& arguments,
                                const char* backend) {
    need_console();
    const pipe_ends out = make_pipe();
    const pipe_ends err = make_pipe();
    STARTUPINFOA how = {};
    how.cb = sizeof how;
    how.dwFlags = STARTF_USESTDHANDLES;
    how.hStdOutput = out.theirs;
    how.hStdError = err.theirs;
    PROCESS_INFORMATION made = {};
    if (backend)
        ::SetEnvironmentVariableA("CORACLE_BACKEND", backend);
    check(create_process(command_line(path, arguments), how, made), "CreateProcess");
    if (backend)
        ::SetEnvironmentVariableA("CORACLE_BACKEND", std::getenv("CORACLE_BACKEND"));
    ::CloseHandle(made.hThread);
    ::CloseHandle(out.theirs);
    ::CloseHandle(err.theirs);
    return {reinterpret_cast<native_handle>(made.hProcess),
            reinterpret_cast<native_handle>(out.ours), reinterpret_cast<native_handle>(err.ours)};
}

program::~program() {
    if (process_ != no_handle) {
        ::TerminateProcess(native(process_), EXIT_FAILURE);
        ::CloseHandle(native(process_));
    }
}

void program::send_signal(int number) {
    REQUIRE(number == SIGINT);
    check(::GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0), "GenerateConsoleCtrlEvent");
}

int program::exit_code() {
    const bool ended = ::WaitForSingleObject(native(process_), end_guard_ms) == WAIT_OBJECT_0;
    CHECK(ended);
    if (!ended)
        ::TerminateProcess(native(process_), EXIT_FAILURE);
    written = output.rest();
    complaint = errors.rest();
    DWORD code = EXIT_FAILURE;
    ::GetExitCodeProcess(native(process_), &code);
    ::CloseHandle(native(std::exchange(process_, no_handle)));
    return static_cast<int>(code);
}

std::vector<int> ending_signals() {
    return {SIGINT};
}

std::string describe(std::errc error) {
    switch (error) {
    case std::errc::address_in_use:
        return windows::error_of(WSAEADDRINUSE).message();
    case std::errc::address_not_available:
        return windows::error_of(WSAEADDRNOTAVAIL).message();
    default:
        throw std::invalid_argument("no words for this error");
    }
}

} // namespace coracle::test
