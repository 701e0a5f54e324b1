// SPDX-License-Identifier: MIT
//
// program: an example as a child process, and blocking connections to it. What a test waits for is
// a line, an end or an exit; the guard is only there so that a test that would hang fails instead.
// What the platforms do differently is in program/.
#pragma once

#include <coracle/io/network.hpp>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace coracle::test {

inline constexpr int guard_ms = 60'000;

/// The same for the end of a program, which may work for long before and say nothing meanwhile. Not
/// as long as ctest waits, so that the test can end the program.
inline constexpr int end_guard_ms = 240'000;

/// Lines and bytes, as they come.
class source {
public:
    source() = default;
    source(const source&) = delete;
    source& operator=(const source&) = delete;
    virtual ~source() = default;

    /// The next line without its end.
    std::string line() { return take_until("\n"); }

    /// What comes before `mark`, which is left out.
    std::string take_until(std::string_view mark);

    /// So many bytes.
    std::string take(std::size_t count);

    /// Everything up to the end.
    std::string rest(int within_ms = guard_ms);

private:
    /// Waits for at least a byte. Empty at the end, or after a reset.
    virtual std::string read_some(int within_ms) = 0;

    /// False at the end, or after a reset.
    bool read_more(int within_ms = guard_ms);

    std::string text_;
};

/// What a program writes. On every platform its lines end with '\n' alone.
class pipe_end : public source {
public:
    explicit pipe_end(native_handle handle) noexcept : handle_(handle) {}

    ~pipe_end() override { close(); }

    /// Reads nothing more: the program cannot write there any longer.
    void close() noexcept;

private:
    std::string read_some(int within_ms) override;

    native_handle handle_;
};

/// A connection to a port of the loopback interface.
class blocking_connection : public source {
public:
    explicit blocking_connection(std::uint16_t port, int receive_buffer_bytes = 0);
    ~blocking_connection() override;

    void send(std::string_view bytes);
    void end_sending();
    void reset();

private:
    std::string read_some(int within_ms) override;

    native_handle handle_ = no_handle;
};

/// A child process, which does not outlive the object.
class program {
public:
    explicit program(const char* path, const std::vector<std::string>& arguments = {},
                     const char* backend = nullptr)
        : program(start(path, arguments, backend)) {}

    program(const program&) = delete;
    program& operator=(const program&) = delete;
    ~program();

    /// The port in the program's next line, in which an address comes last.
    std::uint16_t port();

    /// Where a platform has nothing but Ctrl-C, SIGINT goes to all programs of the test, and there
    /// is no other signal.
    void send_signal(int number);

#ifdef SIGSTOP
    /// Stops the program as a shell does, and waits until it stands still.
    void freeze();
#endif

    /// Waits for the end. The exit code, or minus the number of the signal that was the end.
    int exit_code();

private:
    struct started {
        native_handle process;
        native_handle output;
        native_handle errors;
    };

    explicit program(const started& made)
        : output(made.output), errors(made.errors), process_(made.process) {}

    static started start(const char* path, const std::vector<std::string>& arguments,
                         const char* backend);

public:
    pipe_end output;
    pipe_end errors;
    std::string written;   // to the output, and not read before the end
    std::string complaint; // the same of the errors

private:
    native_handle process_;
};

/// The signals that the platform can send to end a program.
[[nodiscard]] std::vector<int> ending_signals();

/// The platform's words for an error of sockets.
[[nodiscard]] std::string describe(std::errc error);

} // namespace coracle::test
