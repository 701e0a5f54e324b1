// SPDX-License-Identifier: MIT
//
// server_process: the server as a child process, which does not outlive the object.
//
// It is in a process group of its own, and a signal goes to the whole group, as that of Ctrl-C
// does: so the command may as well be a tool that runs the server.
#pragma once

#include <coracle/coracle.hpp>
#include <cstddef>
#include <string>
#include <vector>

namespace soak {

class server_process {
public:
    explicit server_process(const std::vector<std::string>& command);
    ~server_process();
    server_process(const server_process&) = delete;
    server_process& operator=(const server_process&) = delete;

    /// What it writes; each to be taken once.
    [[nodiscard]] coracle::tcp_stream take_output();
    [[nodiscard]] coracle::tcp_stream take_errors();

    /// How many descriptors it has.
    [[nodiscard]] std::size_t descriptors() const;

    /// Asks it to end, as Ctrl-C does.
    void interrupt() const;

    /// Waits for the end. The exit code, or minus the number of the signal that was the end.
    [[nodiscard]] int exit_code();

private:
    int process_ = -1;
    coracle::native_handle output_ = coracle::no_handle;
    coracle::native_handle errors_ = coracle::no_handle;
};

} // namespace soak
