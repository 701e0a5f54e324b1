// SPDX-License-Identifier: MIT
//
// The RIO backend: see rio.cpp. Private.
#pragma once

#include "iocp.hpp"
#include "rio_memory.hpp"
#include <array>
#include <memory>

namespace coracle {

namespace rio {
struct stream_queue;
}

class rio_backend final : public iocp_backend {
public:
    rio_backend() noexcept { capabilities_.sockets = &windows::registered_network(); }

    ~rio_backend() override;

    /// False, with the reason, where it does not work.
    [[nodiscard]] bool open_registered(std::string& reason);

    std::string_view name() const noexcept override { return "rio"; }

    void poll(time_point deadline) override;
    bool submit(operation& op) noexcept override;
    void cancel(operation& op) noexcept override;
    bool unregister(detail::descriptor& fd_state) noexcept override;

private:
    void on_shutdown(detail::descriptor& fd_state, shutdown_direction direction) noexcept override;

    static constexpr ULONG_PTR key_of_completions = first_free_key;
    static constexpr DWORD first_capacity = 64; // of the completion queue

    DWORD flags_of_accepted_sockets() const noexcept override { return WSA_FLAG_REGISTERED_IO; }

    void take_packet(ULONG_PTR key) noexcept override;

    [[nodiscard]] bool find_table(std::string& reason);
    [[nodiscard]] bool make_completion_queue(std::string& reason);
    [[nodiscard]] bool round_trip(std::string& reason);
    [[nodiscard]] rio::stream_queue* queue_of(detail::descriptor& target) noexcept;
    [[nodiscard]] std::unique_ptr<rio::stream_queue> make_queue(SOCKET handle) noexcept;
    [[nodiscard]] bool reserve_completions() noexcept;
    [[nodiscard]] bool read(rio::stream_queue& from, operation& op) noexcept;
    [[nodiscard]] bool write(rio::stream_queue& to, operation& op) noexcept;
    [[nodiscard]] DWORD post_receive(rio::stream_queue& from) noexcept;
    [[nodiscard]] DWORD post_send(rio::stream_queue& to, std::size_t size) noexcept;
    bool collect() noexcept;
    void take(const rio::completion& came) noexcept;
    void release(std::unique_ptr<rio::stream_queue> unused, bool closing) noexcept;

    rio::functions functions_ = {};
    OVERLAPPED notification_ = {}; // comes with each packet, and is not looked at
    rio::completion_queue completions_ = nullptr;
    DWORD capacity_ = first_capacity;
    DWORD queues_ = 0;        // each needs two entries of the completion queue
    std::size_t closing_ = 0; // queues of closed sockets that have requests pending
    std::size_t requests_ = 0;
    bool armed_ = false; // a packet will come when there is a completion
    std::unique_ptr<rio::memory> memory_;
    std::array<rio::completion, 128> batch_;
};

namespace detail {

std::unique_ptr<backend> make_rio(const context_options& options, std::string& reason);

} // namespace detail

} // namespace coracle
