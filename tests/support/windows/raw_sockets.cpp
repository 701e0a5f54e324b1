// SPDX-License-Identifier: MIT
#include "../raw_sockets.hpp"

#include <algorithm>
#include <coracle/io/backend/windows.hpp>
#include <doctest/doctest.h>

namespace coracle::test {

namespace {

// What NtQuerySystemInformation tells of all handles there are, in a part of Windows that has no
// header.
constexpr int extended_handle_information = 64;

struct handle_entry {
    void* object;
    ULONG_PTR process;
    ULONG_PTR handle;
    ULONG access;
    USHORT trace;
    USHORT type;
    ULONG attributes;
    ULONG reserved;
};

struct handle_table {
    ULONG_PTR count;
    ULONG_PTR reserved;
};

SOCKET native_of(native_handle handle) {
    return static_cast<SOCKET>(handle);
}

std::vector<handle_entry> all_handles() {
    using query_information = LONG(WINAPI*)(int, void*, ULONG, ULONG*);
    static const auto query = reinterpret_cast<query_information>(reinterpret_cast<void*>(
        ::GetProcAddress(::GetModuleHandleW(L"ntdll.dll"), "NtQuerySystemInformation")));
    std::vector<char> room(std::size_t{1} << 20);
    ULONG used = 0;
    while (query(extended_handle_information, room.data(), static_cast<ULONG>(room.size()),
                 &used) != 0) {
        REQUIRE(room.size() < std::size_t{1} << 28);
        room.resize(2 * room.size());
    }
    const auto& table = *reinterpret_cast<const handle_table*>(room.data());
    const auto* const entries = reinterpret_cast<const handle_entry*>(&table + 1);
    return {entries, entries + table.count};
}

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in native = {};
    native.sin_family = AF_INET;
    native.sin_port = ::htons(port);
    native.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    return native;
}

} // namespace

std::vector<native_handle> open_descriptors() {
    windows::start_winsock();
    // A socket tells which type of handle is theirs, and is not counted itself.
    windows::owned_socket sample(windows::open_stream(AF_INET, 0));
    const std::vector<handle_entry> handles = all_handles();
    std::vector<native_handle> open;
    USHORT type = 0;
    const auto is_ours = [](const handle_entry& each) {
        return each.process == ::GetCurrentProcessId();
    };
    for (const handle_entry& each : handles) {
        if (is_ours(each) && each.handle == sample.get())
            type = each.type;
    }
    REQUIRE(type != 0);
    for (const handle_entry& each : handles) {
        if (is_ours(each) && each.type == type && each.handle != sample.get())
            open.push_back(static_cast<native_handle>(each.handle));
    }
    std::sort(open.begin(), open.end());
    return open;
}

std::optional<std::size_t> registrations(std::string_view) {
    return std::nullopt;
}

std::size_t descriptors_to_be_had() {
    return 1000;
}

void send_raw(const socket& from, std::string_view text) {
    const SOCKET handle = native_of(from.handle());
    u_long non_blocking = 1;
    ::ioctlsocket(handle, static_cast<long>(FIONBIO), &non_blocking);
    const int sent = ::send(handle, text.data(), static_cast<int>(text.size()), 0);
    non_blocking = 0;
    ::ioctlsocket(handle, static_cast<long>(FIONBIO), &non_blocking);
    REQUIRE(sent == static_cast<int>(text.size()));
}

native_handle connect_raw(const address& peer) {
    windows::start_winsock();
    windows::owned_socket made(windows::open_stream(AF_INET, 0));
    const sockaddr_in native = loopback(peer.port());
    if (::connect(made.get(), reinterpret_cast<const sockaddr*>(&native), sizeof native) != 0)
        return no_handle;
    return static_cast<native_handle>(made.release());
}

std::pair<native_handle, native_handle> raw_pair() {
    windows::start_winsock();
    const windows::owned_socket listener(windows::open_stream(AF_INET, 0));
    sockaddr_in native = loopback(0);
    int size = sizeof native;
    REQUIRE(::bind(listener.get(), reinterpret_cast<sockaddr*>(&native), size) == 0);
    REQUIRE(::listen(listener.get(), 1) == 0);
    REQUIRE(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&native), &size) == 0);
    windows::owned_socket one(windows::open_stream(AF_INET, 0));
    REQUIRE(::connect(one.get(), reinterpret_cast<sockaddr*>(&native), size) == 0);
    const SOCKET other = ::accept(listener.get(), nullptr, nullptr);
    REQUIRE(other != INVALID_SOCKET);
    return {static_cast<native_handle>(one.release()), static_cast<native_handle>(other)};
}

void close_raw(native_handle handle) {
    REQUIRE(::closesocket(native_of(handle)) == 0);
}

void make_non_blocking(native_handle handle) {
    u_long on = 1;
    REQUIRE(::ioctlsocket(native_of(handle), static_cast<long>(FIONBIO), &on) == 0);
}

bool sockets_can_move() {
    windows::start_winsock();
    const windows::owned_socket sample(windows::open_stream(AF_INET, 0));
    const auto handle = reinterpret_cast<HANDLE>(sample.get());
    const HANDLE port = ::CreateIoCompletionPort(handle, nullptr, 0, 1);
    REQUIRE(port != nullptr);
    const bool moves = windows::leave_port(handle);
    ::CloseHandle(port);
    if (!moves)
        MESSAGE("skipped, because this system cannot take a socket from a completion port");
    return moves;
}

void let_broken_pipes_kill() {}

} // namespace coracle::test
