// SPDX-License-Identifier: MIT
#include "tcp.hpp"

#include "../runtime/awaitable.hpp"
#include "../runtime/diagnostics/warning.hpp"
#include "../runtime/sleep.hpp"
#include "backend.hpp"
#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace coracle {

namespace {

using namespace std::chrono_literals;

/// How long a listener waits for descriptors or memory to come back.
constexpr auto shortage_pause = 50ms;

network& present_network() noexcept {
    backend* const current = backend::current();
    return current ? *current->optional().sockets : network::native();
}

socket open_stream(address::family family, creation_site where) {
    network& opener = present_network();
    const native_handle handle = opener.open_stream(family);
    return socket(handle, opener, where);
}

/// Descriptors or memory have run out (EMFILE, ENFILE, ENOBUFS, ENOMEM); they may be free later.
bool is_shortage(std::error_code error) noexcept {
    constexpr std::array shortages = {
        std::errc::too_many_files_open,
        std::errc::too_many_files_open_in_system,
        std::errc::no_buffer_space,
        std::errc::not_enough_memory,
    };
    return std::any_of(shortages.begin(), shortages.end(),
                       [error](std::errc code) { return error == code; });
}

/// The connection at the head of the queue is gone; the listener is well. See accept(2).
bool is_lost_connection(std::error_code error) noexcept {
    constexpr std::array losses = {
        std::errc::connection_aborted, std::errc::connection_reset, std::errc::protocol_error,
        std::errc::no_protocol_option, std::errc::network_down,     std::errc::network_unreachable,
        std::errc::host_unreachable,
    };
    return std::any_of(losses.begin(), losses.end(),
                       [error](std::errc code) { return error == code; });
}

/// Reaches the options of a socket; throws if it is closed.
int get_option(const socket& of, socket_option option) {
    const detail::descriptor_ref& open = of.state();
    if (!open)
        throw std::system_error(std::make_error_code(std::errc::bad_file_descriptor));
    return open->opened_by->get(open->handle, option);
}

void set_option(const socket& of, socket_option option, int value) {
    const detail::descriptor_ref& open = of.state();
    if (!open)
        throw std::system_error(std::make_error_code(std::errc::bad_file_descriptor));
    open->opened_by->set(open->handle, option, value);
}

int whole_seconds(std::chrono::seconds time) noexcept {
    return static_cast<int>(std::clamp<std::int64_t>(time.count(), 0, 32767));
}

task<tcp_stream> connect_from(std::optional<address> local, address peer, creation_site where) {
    socket opened = open_stream(peer.kind(), where);
    if (local)
        opened.state()->opened_by->bind(opened.handle(), *local);
    const result<void> connected = co_await as_result(connect_operation(opened.state(), peer));
    if (!connected)
        detail::throw_error(connected.error(), "cannot connect to " + to_string(peer));
    co_return tcp_stream(std::move(opened));
}

/// Holds the descriptor and not the listener, which may be moved or go away in the meantime.
task<tcp_stream> accept_from(detail::descriptor_ref listening, creation_site where) {
    for (;;) {
        result<socket> accepted = co_await as_result(accept_operation(listening, where));
        if (accepted)
            co_return tcp_stream(std::move(*accepted));
        if (is_shortage(accepted.error())) {
            if (!std::exchange(listening->shortage_warned, true))
                warning(
                    fmt::format("accepting pauses until descriptors or memory are free again: {}",
                                accepted.error().message()));
            co_await sleep_for(shortage_pause);
            if (!listening->open()) // closed during the pause, not before: as if in the kernel
                throw std::system_error(std::make_error_code(std::errc::operation_canceled),
                                        "accept");
        } else if (!is_lost_connection(accepted.error())) {
            detail::throw_error(accepted.error(), "accept");
        }
    }
}

} // namespace

task<tcp_stream> tcp_stream::connect(address peer, creation_site where) {
    return connect_from(std::nullopt, peer, where);
}

task<tcp_stream> tcp_stream::connect(address peer, address local, creation_site where) {
    return connect_from(local, peer, where);
}

tcp_stream tcp_stream::adopt(native_handle connected, creation_site where) {
    tcp_stream adopted(socket(connected, present_network(), where));
    adopted.state()->adopted = true;
    return adopted;
}

address tcp_stream::local_address() const {
    const detail::descriptor& open = open_state();
    return open.opened_by->local_address(open.handle);
}

address tcp_stream::peer_address() const {
    const detail::descriptor& open = open_state();
    return open.opened_by->peer_address(open.handle);
}

void tcp_stream::set_no_delay(bool on) {
    set_option(*this, socket_option::no_delay, on);
}

bool tcp_stream::no_delay() const {
    return get_option(*this, socket_option::no_delay) != 0;
}

void tcp_stream::set_keep_alive(std::optional<keep_alive_options> options) {
    if (options) {
        set_option(*this, socket_option::keep_alive_idle_s, whole_seconds(options->idle));
        set_option(*this, socket_option::keep_alive_interval_s, whole_seconds(options->interval));
        set_option(*this, socket_option::keep_alive_count, options->probes);
    }
    set_option(*this, socket_option::keep_alive, options.has_value());
}

std::optional<keep_alive_options> tcp_stream::keep_alive() const {
    if (get_option(*this, socket_option::keep_alive) == 0)
        return std::nullopt;
    keep_alive_options options;
    options.idle = std::chrono::seconds(get_option(*this, socket_option::keep_alive_idle_s));
    options.interval =
        std::chrono::seconds(get_option(*this, socket_option::keep_alive_interval_s));
    options.probes = get_option(*this, socket_option::keep_alive_count);
    return options;
}

void tcp_stream::set_linger(std::optional<std::chrono::seconds> time) {
    set_option(*this, socket_option::linger_s, time ? whole_seconds(*time) : -1);
}

std::optional<std::chrono::seconds> tcp_stream::linger() const {
    const int time = get_option(*this, socket_option::linger_s);
    if (time < 0)
        return std::nullopt;
    return std::chrono::seconds(time);
}

void tcp_stream::set_send_buffer_size(int bytes) {
    set_option(*this, socket_option::send_buffer_bytes, bytes);
}

int tcp_stream::send_buffer_size() const {
    return get_option(*this, socket_option::send_buffer_bytes);
}

void tcp_stream::set_receive_buffer_size(int bytes) {
    set_option(*this, socket_option::receive_buffer_bytes, bytes);
}

int tcp_stream::receive_buffer_size() const {
    return get_option(*this, socket_option::receive_buffer_bytes);
}

tcp_listener tcp_listener::bind(address local, const listen_options& options, creation_site where) {
    socket opened = open_stream(local.kind(), where);
    set_option(opened, socket_option::reuse_address, options.reuse_address);
    if (options.reuse_port)
        set_option(opened, socket_option::reuse_port, 1);
    if (local.is_v6())
        set_option(opened, socket_option::only_v6, options.only_v6);
    opened.state()->opened_by->bind(opened.handle(), local);
    opened.state()->opened_by->listen(opened.handle(), options.backlog);
    return tcp_listener(std::move(opened));
}

tcp_listener tcp_listener::adopt(native_handle listening, creation_site where) {
    network& adopter = present_network();
    const std::string what = fmt::format("cannot adopt descriptor {} as a listener", listening);
    bool listens = false;
    try {
        listens = adopter.get(listening, socket_option::listening) != 0;
        if (listens)
            static_cast<void>(adopter.local_address(listening)); // which other families have not
    } catch (const std::system_error& refused) {
        throw std::system_error(refused.code(), what);
    }
    if (!listens)
        throw std::system_error(std::make_error_code(std::errc::invalid_argument),
                                what + ": it does not listen");
    tcp_listener adopted(socket(listening, adopter, where));
    adopted.state()->adopted = true;
    return adopted;
}

task<tcp_stream> tcp_listener::accept(creation_site where) {
    return accept_from(state(), where);
}

multishot_accept tcp_listener::accept_many() {
    return multishot_accept(detail::multishot_use(state()));
}

task<tcp_stream> multishot_accept::next(creation_site where) {
    return accept_from(use_.target(), where);
}

address tcp_listener::local_address() const {
    const detail::descriptor& open = open_state();
    return open.opened_by->local_address(open.handle);
}

} // namespace coracle
