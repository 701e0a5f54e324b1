// SPDX-License-Identifier: MIT
//
// siege: a server, a hostile population around it for a time, and what is wrong afterwards.
//
// The server has to be as it was before, to serve one more visitor, and to end in order when it is
// asked to; of a server that reports what it uses (chat --watch), nothing may have grown meanwhile.
// Every wait for it has a limit, so that a server that hangs is a finding too.
#pragma once

#include "sample.hpp"
#include "server_process.hpp"
#include "visitor.hpp"
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
    std::size_t visitors = 80;
    std::uint32_t seed = 1;
    std::string samples_file; // empty for a server that does not report what it uses
};

class siege {
public:
    explicit siege(const plan& chosen);

    /// From the server's start to its end.
    [[nodiscard]] coracle::task<> run();

    /// What is wrong, each in one line; to be called after `run`.
    [[nodiscard]] const std::vector<std::string>& findings() const noexcept { return findings_; }

    [[nodiscard]] const std::vector<sample>& samples() const noexcept { return samples_; }

    [[nodiscard]] const experience& seen() const noexcept { return seen_; }

private:
    using clock = std::chrono::steady_clock;

    [[nodiscard]] bool watches() const noexcept { return !plan_.samples_file.empty(); }

    [[nodiscard]] coracle::task<> besiege();
    [[nodiscard]] coracle::task<> populate();
    [[nodiscard]] coracle::task<> visit_last();
    [[nodiscard]] coracle::task<> wait_until(coracle::event& awaited, std::string_view what);
    [[nodiscard]] coracle::task<> end_server();
    [[nodiscard]] coracle::task<> read_output(coracle::tcp_stream output);
    [[nodiscard]] coracle::task<> read_errors(coracle::tcp_stream errors);
    void take(sample report);
    [[nodiscard]] bool is_as_before(const sample& report) const noexcept;
    void judge_end();
    void judge_growth();
    void judge_hostility();

    plan plan_;
    server_process server_;
    coracle::address address_;
    coracle::event listening_;
    coracle::event ready_;     // it has reported what it is before the first visit
    coracle::event as_before_; // set by each sample that is like that, reset by others
    coracle::event output_ended_;
    experience seen_;
    std::vector<sample> samples_;
    std::size_t siege_samples_ = 0; // those taken while the population was there
    clock::time_point began_{};
    std::vector<std::string> findings_;
};

} // namespace soak
