// SPDX-License-Identifier: MIT
//
// load: runs a server, puts hostile clients on it for a time, and checks it afterwards.
//
// After the load the server must be back in its initial state, serve one more client, and shut down
// when asked to. If it reports its usage (chat --watch), none of the figures may have grown. Every
// wait for the server has a time limit, so a server that hangs is a failure too.
#pragma once

#include "client.hpp"
#include "sample.hpp"
#include "server_process.hpp"
#include <chrono>
#include <coracle/coracle.hpp>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace soak {

struct plan {
    std::vector<std::string> command; // of the server
    std::chrono::seconds length{10};
    std::size_t clients = 80;
    std::uint32_t seed = 1;
    std::string samples_file; // empty for a server that does not report its usage
};

class load {
public:
    explicit load(const plan& chosen);

    /// From the start of the server to its end.
    [[nodiscard]] coracle::task<> run();

    /// What went wrong, one line each; valid after `run`.
    [[nodiscard]] const std::vector<std::string>& failures() const noexcept { return failures_; }

    [[nodiscard]] const std::vector<sample>& samples() const noexcept { return samples_; }

    [[nodiscard]] const client_counts& counts() const noexcept { return counts_; }

private:
    using clock = std::chrono::steady_clock;

    [[nodiscard]] bool has_samples() const noexcept { return !plan_.samples_file.empty(); }

    [[nodiscard]] coracle::task<> load_server();
    [[nodiscard]] coracle::task<> run_clients();
    [[nodiscard]] coracle::task<> connect_last();
    [[nodiscard]] coracle::task<> wait_until(coracle::event& awaited, std::string_view what);
    [[nodiscard]] coracle::task<> end_server();
    [[nodiscard]] coracle::task<> read_output(coracle::tcp_stream output);
    [[nodiscard]] coracle::task<> read_errors(coracle::tcp_stream errors);
    void add(sample report);
    [[nodiscard]] bool is_as_before(const sample& report) const noexcept;
    void check_end();
    void check_growth();
    void check_hostility();

    plan plan_;
    server_process server_;
    coracle::address address_;
    coracle::event listening_;
    coracle::event ready_;     // the sample from before the first connection is there
    coracle::event as_before_; // whether the last sample equals that one
    coracle::event output_ended_;
    client_counts counts_;
    std::vector<sample> samples_;
    std::size_t load_samples_ = 0; // samples taken before the clients ended
    clock::time_point began_{};
    std::vector<std::string> failures_;
};

} // namespace soak
