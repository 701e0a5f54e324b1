// SPDX-License-Identifier: MIT
//
// tcp_stream and tcp_listener: TCP over IPv4 and IPv6.
//
// Whatever makes a socket takes as its last argument where it was called, which is there by itself:
// a socket that is still held when its context ends is named by that.
#pragma once

#include "../runtime/task.hpp"
#include "address.hpp"
#include "multishot.hpp"
#include "stream.hpp"
#include <chrono>
#include <optional>

namespace coracle {

/// When the kernel asks a silent peer whether it is still there.
struct keep_alive_options {
    std::chrono::seconds idle{60};     // silence before the first probe
    std::chrono::seconds interval{10}; // between probes
    int probes = 6;                    // unanswered ones before the connection is given up
};

/// A TCP connection.
class tcp_stream : public stream {
public:
    tcp_stream() noexcept = default;

    explicit tcp_stream(socket connected) noexcept : stream(std::move(connected)) {}

    /// Connects to `peer`.
    ///
    /// errors   connection_refused, host_unreachable, timed_out, operation_canceled;
    ///          too_many_files_open
    [[nodiscard]] static task<tcp_stream> connect(address peer, creation_site where = {});

    /// The same from a local address.
    [[nodiscard]] static task<tcp_stream> connect(address peer, address local,
                                                  creation_site where = {});

    /// Takes over a connected socket that was opened elsewhere or released.
    ///
    /// Whether calls on it block (O_NONBLOCK) belongs to all who share it, such as a child process
    /// or a duplicate. io_uring and epoll leave that as it is for a stream. Where it must be
    /// changed, by kqueue or for an io_uring that does not wait for such a socket, it is as it was
    /// found once the stream is released or closed.
    [[nodiscard]] static tcp_stream adopt(native_handle connected, creation_site where = {});

    [[nodiscard]] address local_address() const;
    [[nodiscard]] address peer_address() const;

    /// Sends small writes at once instead of waiting for more (TCP_NODELAY).
    void set_no_delay(bool on);
    [[nodiscard]] bool no_delay() const;

    /// Has the kernel notice a peer that is gone; nullopt turns it off.
    void set_keep_alive(std::optional<keep_alive_options> options);
    [[nodiscard]] std::optional<keep_alive_options> keep_alive() const;

    /// What closing does with bytes not yet sent: nullopt, the default, sends them in the
    /// background; zero drops them and resets the connection; a time lets closing itself wait for
    /// so long, and with it everything on this thread.
    void set_linger(std::optional<std::chrono::seconds> time);
    [[nodiscard]] std::optional<std::chrono::seconds> linger() const;

    /// The kernel's buffers, in bytes. Linux doubles what is set and tells the double.
    void set_send_buffer_size(int bytes);
    [[nodiscard]] int send_buffer_size() const;
    void set_receive_buffer_size(int bytes);
    [[nodiscard]] int receive_buffer_size() const;
};

struct listen_options {
    int backlog = 1024;        // connections that wait for accept; the system may allow fewer
    bool reuse_address = true; // bind although connections of an earlier listener linger
    bool reuse_port = false;   // let several listeners share the port
    bool only_v6 = false;      // an IPv6 listener that takes no IPv4 connections
};

/// Accepts one connection after the other with a single request to the kernel, where the kernel can
/// do that. Gives what `tcp_listener::accept` gives.
class multishot_accept {
public:
    multishot_accept() noexcept = default;

    /// The next connection, as tcp_listener::accept. Several may wait at once, and are served in
    /// turn.
    ///
    /// errors   as tcp_listener::accept; bad_file_descriptor once the listener is closed
    [[nodiscard]] task<tcp_stream> next(creation_site where = {});

private:
    friend class tcp_listener;

    explicit multishot_accept(detail::multishot_use use) noexcept : use_(std::move(use)) {}

    detail::multishot_use use_;
};

/// Accepts TCP connections.
class tcp_listener : public socket {
public:
    tcp_listener() noexcept = default;

    /// Binds to `local` and listens. Port 0 lets the system choose: see local_address. May be
    /// called outside of a context too.
    ///
    /// errors   address_in_use, permission_denied, address_not_available; the text names `local`
    [[nodiscard]] static tcp_listener bind(address local, const listen_options& options = {},
                                           creation_site where = {});

    /// Takes over a socket that listens already: one that was released, or that another process has
    /// bound, as systemd does for socket activation. What is refused stays the caller's.
    ///
    /// As with a stream whether calls on it block belongs to all who share it. epoll and kqueue
    /// have them not block while they use it; it is as it was found once the listener is released
    /// or closed.
    ///
    /// errors   invalid_argument if it does not listen, address_family_not_supported if it is not
    ///          one of IPv4 or IPv6, not_a_socket, bad_file_descriptor; the text names the handle
    /// source   getsockopt(2) with SO_ACCEPTCONN
    [[nodiscard]] static tcp_listener adopt(native_handle listening, creation_site where = {});

    /// Waits for the next connection. Several may wait at once, and are served in turn.
    ///
    /// Where descriptors or memory have run out it says so once, pauses and tries again, and a
    /// connection that has failed before it was taken is passed over: neither ends a server.
    ///
    /// errors   operation_canceled; any other OS code unchanged
    /// source   accept4(2), io_uring_prep_accept(3)
    [[nodiscard]] task<tcp_stream> accept(creation_site where = {});

    /// Multishot accept: the same for a listener that many connect to.
    ///
    ///     multishot_accept incoming = listener.accept_many();
    ///     for (;;)
    ///         sessions.start(serve(co_await incoming.next()));
    ///
    /// While the object is there, the kernel accepts up to a hundred connections or so before they
    /// are asked for. When it goes, those that have come stay with the listener, whose next
    /// `accept` takes them; they are closed with it.
    ///
    /// errors   thrown: error::accept_under_way if there is such an object already,
    ///          bad_file_descriptor if the listener is closed
    /// cost     io_uring from Linux 6.8: 1 SQE for all. Elsewhere as accept
    /// source   io_uring_prep_multishot_accept(3)
    [[nodiscard]] multishot_accept accept_many();

    [[nodiscard]] address local_address() const;

private:
    explicit tcp_listener(socket bound) noexcept : socket(std::move(bound)) {}
};

} // namespace coracle
