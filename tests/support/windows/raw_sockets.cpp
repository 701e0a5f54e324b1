// SPDX-License-Identifier: MIT
#include "../raw_sockets.hpp"

#include <array>
#include <chrono>
#include <coracle/io/windows/iocp.hpp>
#include <cstddef>
#include <doctest/doctest.h>
#include <string>

#include <winternl.h>

namespace coracle::test {

namespace {

SOCKET native_of(native_handle handle) {
    return static_cast<SOCKET>(handle);
}

/// A function that no header declares.
template <class Function>
Function system_call(const char* name) {
    const HMODULE library = ::GetModuleHandleW(L"ntdll.dll");
    return reinterpret_cast<Function>(reinterpret_cast<void*>(::GetProcAddress(library, name)));
}

/// What kind of thing a handle is, by the name that the system gives it; nothing if it is no
/// handle.
std::wstring type_of(native_handle handle) {
    using query_object = LONG(NTAPI*)(HANDLE, int, void*, ULONG, ULONG*);
    static const auto query = system_call<query_object>("NtQueryObject");
    constexpr int type_information = 2;
    alignas(PUBLIC_OBJECT_TYPE_INFORMATION) std::array<std::byte, 1024> storage;
    ULONG used = 0;
    if (query(reinterpret_cast<HANDLE>(handle), type_information, storage.data(), storage.size(),
              &used) != 0)
        return {};
    const UNICODE_STRING& name =
        reinterpret_cast<const PUBLIC_OBJECT_TYPE_INFORMATION*>(storage.data())->TypeName;
    return {name.Buffer, name.Length / sizeof(wchar_t)};
}

/// How many packets lie in the port of a backend.
ULONG packets_of(const iocp_backend& of) {
    struct revealed : iocp_backend {
        static HANDLE port_of(const iocp_backend& of) { return (of.*&revealed::port)(); }
    };

    using query_completion = LONG(NTAPI*)(HANDLE, int, void*, ULONG, ULONG*);
    static const auto query = system_call<query_completion>("NtQueryIoCompletion");
    constexpr int basic_information = 0;
    ULONG count = 0;
    REQUIRE(query(revealed::port_of(of), basic_information, &count, sizeof count, nullptr) >= 0);
    return count;
}

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in native = {};
    native.sin_family = AF_INET;
    native.sin_port = ::htons(port);
    native.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    return native;
}

} // namespace

// Handle by handle, although the system has a call that lists all there are: Wine's server crashes
// when that meets a process that has just begun, and then each program under it ends or hangs.
std::vector<native_handle> open_descriptors() {
    windows::start_winsock();
    // A socket tells which type of handle is theirs, and is not counted itself.
    const windows::owned_socket sample(windows::open_stream(AF_INET, 0));
    const auto unwanted = static_cast<native_handle>(sample.get());
    const std::wstring wanted = type_of(unwanted);
    REQUIRE_FALSE(wanted.empty());
    constexpr native_handle step = 4;   // between two handles
    constexpr native_handle gap = 4096; // no test leaves as many free below one that is not
    std::vector<native_handle> open;
    native_handle last = 0;
    for (native_handle each = step; each - last <= gap; each += step) {
        const std::wstring type = type_of(each);
        if (!type.empty())
            last = each;
        if (type == wanted && each != unwanted)
            open.push_back(each);
    }
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

void let_kernel_answer() {
    const auto& asked = dynamic_cast<const iocp_backend&>(*backend::current());
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (packets_of(asked) == 0) {
        REQUIRE(std::chrono::steady_clock::now() < give_up);
        ::SwitchToThread();
    }
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
