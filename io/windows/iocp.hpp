// SPDX-License-Identifier: MIT
//
// The IOCP backend: see iocp.cpp. Private. RIO derives from it.
#pragma once

#include "../backend.hpp"
#include "winsock.hpp"
#include <array>

namespace coracle {

class iocp_backend : public backend, protected detail::shutdown_observer {
public:
    iocp_backend() noexcept { capabilities_.shutdowns = this; }

    ~iocp_backend() override;

    /// False, with the reason, where it does not work.
    [[nodiscard]] bool open(std::string& reason);

    std::string_view name() const noexcept override { return "iocp"; }

    time_point now() noexcept override { return std::chrono::steady_clock::now(); }

    void poll(time_point deadline) override;
    void wake() noexcept override;
    bool submit(operation& op) noexcept override;
    void cancel(operation& op) noexcept override;
    bool unregister(detail::descriptor& fd_state) noexcept override;

protected:
    void on_shutdown(detail::descriptor& fd_state, shutdown_direction direction) noexcept override;

    /// Indices of the descriptor's `backend_flags`.
    enum flag : std::uint8_t {
        associated,    // with the port
        without_queue, // for registered I/O
    };

    /// Makes a socket's packets come to this port. False, and the operation failed, if it cannot.
    [[nodiscard]] bool associate(operation& op) noexcept;

    [[nodiscard]] HANDLE port() const noexcept { return port_; }

    /// What sockets are made with, apart from what all are made with.
    [[nodiscard]] virtual DWORD flags_of_accepted_sockets() const noexcept { return 0; }

    /// A packet with a key that a derived backend has given.
    virtual void take_packet(ULONG_PTR) noexcept {}

    /// What the kernel says of an operation.
    struct outcome {
        DWORD error = ERROR_SUCCESS; // ERROR_IO_PENDING: a packet will come
        std::int64_t count = 0;
    };

    /// Applies the kernel's answer to an operation. False if there is more to do.
    [[nodiscard]] static bool apply(operation& op, outcome answer) noexcept;

    static constexpr ULONG_PTR key_of_operations = 0;
    static constexpr ULONG_PTR key_of_wake_up = 1;
    static constexpr ULONG_PTR first_free_key = 2;

private:
    static constexpr ULONG max_packets = 256;

    [[nodiscard]] bool round_trip(std::string& reason) noexcept;
    [[nodiscard]] bool find_functions(std::string& reason) noexcept;
    [[nodiscard]] bool start(operation& op) noexcept;
    [[nodiscard]] outcome begin(operation& op) noexcept;
    [[nodiscard]] outcome begin_accept(accept_operation& started, OVERLAPPED& overlapped) noexcept;
    [[nodiscard]] outcome begin_connect(connect_operation& started,
                                        OVERLAPPED& overlapped) noexcept;
    [[nodiscard]] outcome outcome_of(bool done, DWORD count) const noexcept;
    [[nodiscard]] static outcome end_accept(accept_operation& over, outcome answer) noexcept;
    [[nodiscard]] static outcome end_connect(connect_operation& over, outcome answer) noexcept;
    void complete(operation& op, OVERLAPPED& overlapped) noexcept;

    HANDLE port_ = nullptr;
    bool answers_at_once_ = false; // what succeeds at once makes no packet
    LPFN_ACCEPTEX accept_ = nullptr;
    LPFN_CONNECTEX connect_ = nullptr;
    std::array<OVERLAPPED_ENTRY, max_packets> packets_;
};

namespace detail {

std::unique_ptr<backend> make_iocp(const context_options& options, std::string& reason);

} // namespace detail

} // namespace coracle
