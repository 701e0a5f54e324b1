// SPDX-License-Identifier: MIT
#include "winsock.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <fmt/format.h>
#include <string>

namespace coracle::windows {

namespace {

struct counterpart {
    DWORD number;
    std::errc condition;
};

constexpr std::array counterparts = {
    counterpart{ERROR_FILE_NOT_FOUND, std::errc::no_such_file_or_directory},
    counterpart{ERROR_PATH_NOT_FOUND, std::errc::no_such_file_or_directory},
    counterpart{ERROR_TOO_MANY_OPEN_FILES, std::errc::too_many_files_open},
    counterpart{ERROR_ACCESS_DENIED, std::errc::permission_denied},
    counterpart{ERROR_INVALID_HANDLE, std::errc::bad_file_descriptor},
    counterpart{ERROR_NOT_ENOUGH_MEMORY, std::errc::not_enough_memory},
    counterpart{ERROR_OUTOFMEMORY, std::errc::not_enough_memory},
    counterpart{ERROR_NOT_SUPPORTED, std::errc::operation_not_supported},
    counterpart{ERROR_NETNAME_DELETED, std::errc::connection_reset},
    counterpart{ERROR_INVALID_PARAMETER, std::errc::invalid_argument},
    counterpart{ERROR_BROKEN_PIPE, std::errc::broken_pipe},
    counterpart{ERROR_CALL_NOT_IMPLEMENTED, std::errc::function_not_supported},
    counterpart{ERROR_SEM_TIMEOUT, std::errc::timed_out},
    counterpart{ERROR_NO_DATA, std::errc::broken_pipe},
    counterpart{ERROR_MORE_DATA, std::errc::message_size},
    counterpart{ERROR_OPERATION_ABORTED, std::errc::operation_canceled},
    counterpart{ERROR_CONNECTION_REFUSED, std::errc::connection_refused},
    counterpart{ERROR_NETWORK_UNREACHABLE, std::errc::network_unreachable},
    counterpart{ERROR_HOST_UNREACHABLE, std::errc::host_unreachable},
    counterpart{ERROR_PORT_UNREACHABLE, std::errc::connection_refused},
    counterpart{ERROR_CONNECTION_ABORTED, std::errc::connection_aborted},
    counterpart{ERROR_NO_SYSTEM_RESOURCES, std::errc::no_buffer_space},
    counterpart{ERROR_TIMEOUT, std::errc::timed_out},
    counterpart{WSAEINTR, std::errc::interrupted},
    counterpart{WSAEBADF, std::errc::bad_file_descriptor},
    counterpart{WSAEACCES, std::errc::permission_denied},
    counterpart{WSAEFAULT, std::errc::bad_address},
    counterpart{WSAEINVAL, std::errc::invalid_argument},
    counterpart{WSAEMFILE, std::errc::too_many_files_open},
    counterpart{WSAEWOULDBLOCK, std::errc::operation_would_block},
    counterpart{WSAEINPROGRESS, std::errc::operation_in_progress},
    counterpart{WSAEALREADY, std::errc::connection_already_in_progress},
    counterpart{WSAENOTSOCK, std::errc::not_a_socket},
    counterpart{WSAEDESTADDRREQ, std::errc::destination_address_required},
    counterpart{WSAEMSGSIZE, std::errc::message_size},
    counterpart{WSAEPROTOTYPE, std::errc::wrong_protocol_type},
    counterpart{WSAENOPROTOOPT, std::errc::no_protocol_option},
    counterpart{WSAEPROTONOSUPPORT, std::errc::protocol_not_supported},
    counterpart{WSAEOPNOTSUPP, std::errc::operation_not_supported},
    counterpart{WSAEAFNOSUPPORT, std::errc::address_family_not_supported},
    counterpart{WSAEADDRINUSE, std::errc::address_in_use},
    counterpart{WSAEADDRNOTAVAIL, std::errc::address_not_available},
    counterpart{WSAENETDOWN, std::errc::network_down},
    counterpart{WSAENETUNREACH, std::errc::network_unreachable},
    counterpart{WSAENETRESET, std::errc::network_reset},
    counterpart{WSAECONNABORTED, std::errc::connection_aborted},
    counterpart{WSAECONNRESET, std::errc::connection_reset},
    counterpart{WSAENOBUFS, std::errc::no_buffer_space},
    counterpart{WSAEISCONN, std::errc::already_connected},
    counterpart{WSAENOTCONN, std::errc::not_connected},
    counterpart{WSAESHUTDOWN, std::errc::broken_pipe},
    counterpart{WSAETIMEDOUT, std::errc::timed_out},
    counterpart{WSAECONNREFUSED, std::errc::connection_refused},
    counterpart{WSAENAMETOOLONG, std::errc::filename_too_long},
    counterpart{WSAEHOSTUNREACH, std::errc::host_unreachable},
};

class category final : public std::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "windows"; }

    [[nodiscard]] std::string message(int code) const override {
        std::array<wchar_t, 512> wide = {};
        DWORD count =
            ::FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, nullptr,
                             static_cast<DWORD>(code), 0, wide.data(), wide.size(), nullptr);
        while (count > 0 && (wide[count - 1] <= L' ' || wide[count - 1] == L'.'))
            --count;
        std::array<char, 4 * wide.size()> text;
        const int size = ::WideCharToMultiByte(CP_UTF8, 0, wide.data(), static_cast<int>(count),
                                               text.data(), text.size(), nullptr, nullptr);
        if (size <= 0)
            return fmt::format("error {} of Windows", code);
        return {text.data(), static_cast<std::size_t>(size)};
    }

    [[nodiscard]] std::error_condition default_error_condition(int code) const noexcept override {
        const auto* const found =
            std::find_if(counterparts.begin(), counterparts.end(), [code](const counterpart& each) {
                return each.number == static_cast<DWORD>(code);
            });
        if (found == counterparts.end())
            return {code, *this};
        return std::make_error_condition(found->condition);
    }
};

} // namespace

std::error_code error_of(DWORD number) noexcept {
    static const category instance;
    return {static_cast<int>(number), instance};
}

std::error_code last_error() noexcept {
    return error_of(::GetLastError());
}

void start_winsock() {
    static const int failure = [] {
        WSADATA unused = {};
        return ::WSAStartup(MAKEWORD(2, 2), &unused);
    }();
    if (failure != 0)
        throw std::system_error(error_of(static_cast<DWORD>(failure)), "cannot start Winsock");
}

int to_native(const address& value, void* storage) noexcept {
    if (value.is_v6()) {
        sockaddr_in6 native = {};
        native.sin6_family = AF_INET6;
        native.sin6_port = ::htons(value.port());
        native.sin6_scope_id = value.scope();
        std::memcpy(&native.sin6_addr, value.bytes().data(), 16);
        std::memcpy(storage, &native, sizeof native);
        return sizeof native;
    }
    sockaddr_in native = {};
    native.sin_family = AF_INET;
    native.sin_port = ::htons(value.port());
    std::memcpy(&native.sin_addr, value.bytes().data(), 4);
    std::memcpy(storage, &native, sizeof native);
    return sizeof native;
}

address from_native(const sockaddr_storage& value) {
    if (value.ss_family == AF_INET6) {
        sockaddr_in6 native;
        std::memcpy(&native, &value, sizeof native);
        std::array<std::uint8_t, 16> bytes;
        std::memcpy(bytes.data(), &native.sin6_addr, bytes.size());
        return {bytes, ::ntohs(native.sin6_port), native.sin6_scope_id};
    }
    if (value.ss_family != AF_INET)
        throw std::system_error(std::make_error_code(std::errc::address_family_not_supported),
                                "the socket's address is neither IPv4 nor IPv6");
    sockaddr_in native;
    std::memcpy(&native, &value, sizeof native);
    std::array<std::uint8_t, 4> bytes;
    std::memcpy(bytes.data(), &native.sin_addr, bytes.size());
    return {bytes, ::ntohs(native.sin_port)};
}

SOCKET open_stream(int domain, DWORD flags) noexcept {
    return ::WSASocketW(domain, SOCK_STREAM, IPPROTO_TCP, nullptr, 0,
                        WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT | flags);
}

bool leave_port(HANDLE handle) noexcept {
    using set_information = LONG(WINAPI*)(HANDLE, void*, void*, ULONG, int);
    static const auto call = reinterpret_cast<set_information>(reinterpret_cast<void*>(
        ::GetProcAddress(::GetModuleHandleW(L"ntdll.dll"), "NtSetInformationFile")));
    constexpr int replace_completion_information = 61;

    struct {
        HANDLE port = nullptr;
        void* key = nullptr;
    } none;

    std::array<ULONG_PTR, 2> status = {};
    return call &&
           call(handle, status.data(), &none, sizeof none, replace_completion_information) >= 0;
}

decltype(&::WSAIoctl) ioctl = ::WSAIoctl;

bool find_function(SOCKET handle, DWORD code, GUID wanted, const char* name, void* found,
                   DWORD size, std::string& reason) {
    DWORD count = 0;
    if (ioctl(handle, code, &wanted, sizeof wanted, found, size, &count, nullptr, nullptr) == 0)
        return true;
    const std::error_code error = last_error();
    reason = fmt::format("{} is not there: error {}, {}", name, error.value(), error.message());
    return false;
}

} // namespace coracle::windows
