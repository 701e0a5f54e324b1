// SPDX-License-Identifier: MIT
//
// server_process: the server as a child process, killed by the destructor.
//
// It has a process group of its own, and signals go to the whole group, as Ctrl-C does. So the
// command may be a tool that runs the server.
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

    /// Its standard output and standard error; call each once.
    [[nodiscard]] coracle::tcp_stream take_output();
    [[nodiscard]] coracle::tcp_stream take_errors();

    /// The number of its open descriptors.
    [[nodiscard]] std::size_t descriptors() const;

    /// Sends SIGINT.
    void interrupt() const;

    /// Waits for the end. Returns the exit code, or minus the number of the signal that ended it.
    [[nodiscard]] int exit_code();

private:
    int process_ = -1;
    coracle::native_handle output_ = coracle::no_handle;
    coracle::native_handle errors_ = coracle::no_handle;
};

} // namespace soak
