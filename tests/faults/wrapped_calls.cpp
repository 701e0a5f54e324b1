// SPDX-License-Identifier: MIT
//
// The system calls that the library makes through the C library, each of which may fail as planned.
// The linker gives the calls of a name to `__wrap_` and that name, and calls it `__real_` there.
//
// A call fails as the kernel would have it: an interrupted connect goes on in the background, an
// interrupted close has closed, and where a call would block, or was cut short, readiness is told
// anew later.

#include "fault.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstddef>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

using coracle::test::fault;
using coracle::test::planned_error;
using coracle::test::wait_if_held;

extern "C" {
int real_socket(int, int, int) asm("__real_socket");
int real_socketpair(int, int, int, int*) asm("__real_socketpair");
int real_bind(int, const sockaddr*, socklen_t) asm("__real_bind");
int real_listen(int, int) asm("__real_listen");
int real_accept4(int, sockaddr*, socklen_t*, int) asm("__real_accept4");
int real_connect(int, const sockaddr*, socklen_t) asm("__real_connect");
int real_shutdown(int, int) asm("__real_shutdown");
int real_getsockopt(int, int, int, void*, socklen_t*) asm("__real_getsockopt");
int real_setsockopt(int, int, int, const void*, socklen_t) asm("__real_setsockopt");
int real_getsockname(int, sockaddr*, socklen_t*) asm("__real_getsockname");
int real_getpeername(int, sockaddr*, socklen_t*) asm("__real_getpeername");
ssize_t real_recv(int, void*, std::size_t, int) asm("__real_recv");
ssize_t real_recvmsg(int, msghdr*, int) asm("__real_recvmsg");
ssize_t real_send(int, const void*, std::size_t, int) asm("__real_send");
ssize_t real_sendmsg(int, const msghdr*, int) asm("__real_sendmsg");
int real_fcntl(int, int, ...) asm("__real_fcntl");
int real_close(int) asm("__real_close");
ssize_t real_read(int, void*, std::size_t) asm("__real_read");
ssize_t real_write(int, const void*, std::size_t) asm("__real_write");
int real_eventfd(unsigned, int) asm("__real_eventfd");
int real_epoll_create1(int) asm("__real_epoll_create1");
int real_epoll_ctl(int, int, int, epoll_event*) asm("__real_epoll_ctl");
int real_epoll_wait(int, epoll_event*, int, int) asm("__real_epoll_wait");
int real_epoll_pwait2(int, epoll_event*, int, const timespec*,
                      const sigset_t*) asm("__real_epoll_pwait2");
void* real_mmap(void*, std::size_t, int, int, int, off_t) asm("__real_mmap");

int wrapped_socket(int, int, int) asm("__wrap_socket");
int wrapped_socketpair(int, int, int, int*) asm("__wrap_socketpair");
int wrapped_bind(int, const sockaddr*, socklen_t) asm("__wrap_bind");
int wrapped_listen(int, int) asm("__wrap_listen");
int wrapped_accept4(int, sockaddr*, socklen_t*, int) asm("__wrap_accept4");
int wrapped_connect(int, const sockaddr*, socklen_t) asm("__wrap_connect");
int wrapped_shutdown(int, int) asm("__wrap_shutdown");
int wrapped_getsockopt(int, int, int, void*, socklen_t*) asm("__wrap_getsockopt");
int wrapped_setsockopt(int, int, int, const void*, socklen_t) asm("__wrap_setsockopt");
int wrapped_getsockname(int, sockaddr*, socklen_t*) asm("__wrap_getsockname");
int wrapped_getpeername(int, sockaddr*, socklen_t*) asm("__wrap_getpeername");
ssize_t wrapped_recv(int, void*, std::size_t, int) asm("__wrap_recv");
ssize_t wrapped_recvmsg(int, msghdr*, int) asm("__wrap_recvmsg");
ssize_t wrapped_send(int, const void*, std::size_t, int) asm("__wrap_send");
ssize_t wrapped_sendmsg(int, const msghdr*, int) asm("__wrap_sendmsg");
int wrapped_fcntl(int, int, ...) asm("__wrap_fcntl");
int wrapped_close(int) asm("__wrap_close");
ssize_t wrapped_read(int, void*, std::size_t) asm("__wrap_read");
ssize_t wrapped_write(int, const void*, std::size_t) asm("__wrap_write");
int wrapped_eventfd(unsigned, int) asm("__wrap_eventfd");
int wrapped_epoll_create1(int) asm("__wrap_epoll_create1");
int wrapped_epoll_ctl(int, int, int, epoll_event*) asm("__wrap_epoll_ctl");
int wrapped_epoll_wait(int, epoll_event*, int, int) asm("__wrap_epoll_wait");
int wrapped_epoll_pwait2(int, epoll_event*, int, const timespec*,
                         const sigset_t*) asm("__wrap_epoll_pwait2");
void* wrapped_mmap(void*, std::size_t, int, int, int, off_t) asm("__wrap_mmap");
}

namespace {

/// Whether this call has to fail; sets errno then.
bool fails(const char* call) noexcept {
    const int error = planned_error(call);
    if (error != 0)
        errno = error;
    return error != 0;
}

/// What is registered with epoll, by descriptor.
struct registration {
    int epoll = -1;
    epoll_event event = {};
};

std::array<registration, 1024> registrations;

/// The kernel tells of readiness once more, as if it had ended and come back.
void tell_again(int handle) noexcept {
    const int error = errno;
    registration& known = registrations[static_cast<std::size_t>(handle)];
    if (known.epoll >= 0)
        real_epoll_ctl(known.epoll, EPOLL_CTL_MOD, handle, &known.event);
    errno = error;
}

/// Whether a call that moves bytes fails.
bool moving_fails(const char* call, int handle, bool& short_one) noexcept {
    const int error = planned_error(call);
    short_one = error == fault::cut_short;
    if (short_one || error == EAGAIN)
        tell_again(handle);
    if (error > 0)
        errno = error;
    return error > 0;
}

} // namespace

int wrapped_socket(int domain, int type, int protocol) {
    return fails("socket") ? -1 : real_socket(domain, type, protocol);
}

int wrapped_socketpair(int domain, int type, int protocol, int* ends) {
    return fails("socketpair") ? -1 : real_socketpair(domain, type, protocol, ends);
}

int wrapped_bind(int handle, const sockaddr* local, socklen_t size) {
    return fails("bind") ? -1 : real_bind(handle, local, size);
}

int wrapped_listen(int handle, int backlog) {
    return fails("listen") ? -1 : real_listen(handle, backlog);
}

int wrapped_accept4(int handle, sockaddr* peer, socklen_t* size, int flags) {
    bool short_one = false;
    if (moving_fails("accept", handle, short_one))
        return -1;
    return real_accept4(handle, peer, size, flags);
}

int wrapped_connect(int handle, const sockaddr* peer, socklen_t size) {
    const int error = planned_error("connect");
    if (error == EINTR)
        real_connect(handle, peer, size); // which goes on, as below
    errno = error;
    if (error != 0)
        return -1;
    const int answer = real_connect(handle, peer, size);
    return fails("connect_begun") ? -1 : answer;
}

int wrapped_shutdown(int handle, int how) {
    return fails("shutdown") ? -1 : real_shutdown(handle, how);
}

int wrapped_getsockopt(int handle, int level, int name, void* value, socklen_t* size) {
    if (level == SOL_SOCKET && name == SO_ERROR) {
        *static_cast<int*>(value) = planned_error("connected");
        if (*static_cast<int*>(value) != 0)
            return 0;
    }
    return fails("getsockopt") ? -1 : real_getsockopt(handle, level, name, value, size);
}

int wrapped_setsockopt(int handle, int level, int name, const void* value, socklen_t size) {
    return fails("setsockopt") ? -1 : real_setsockopt(handle, level, name, value, size);
}

int wrapped_getsockname(int handle, sockaddr* local, socklen_t* size) {
    return fails("getsockname") ? -1 : real_getsockname(handle, local, size);
}

int wrapped_getpeername(int handle, sockaddr* peer, socklen_t* size) {
    return fails("getpeername") ? -1 : real_getpeername(handle, peer, size);
}

ssize_t wrapped_recv(int handle, void* into, std::size_t size, int flags) {
    bool short_one = false;
    if (moving_fails("recv", handle, short_one))
        return -1;
    return real_recv(handle, into, short_one ? 1 : size, flags);
}

ssize_t wrapped_recvmsg(int handle, msghdr* into, int flags) {
    bool short_one = false;
    if (moving_fails("recvmsg", handle, short_one))
        return -1;
    if (short_one)
        into->msg_iovlen = 1;
    return real_recvmsg(handle, into, flags);
}

ssize_t wrapped_send(int handle, const void* from, std::size_t size, int flags) {
    wait_if_held("send");
    bool short_one = false;
    if (moving_fails("send", handle, short_one))
        return -1;
    return real_send(handle, from, short_one ? 1 : size, flags);
}

ssize_t wrapped_sendmsg(int handle, const msghdr* from, int flags) {
    bool short_one = false;
    if (moving_fails("sendmsg", handle, short_one))
        return -1;
    msghdr sent = *from;
    if (short_one)
        sent.msg_iovlen = 1;
    return real_sendmsg(handle, &sent, flags);
}

int wrapped_fcntl(int handle, int command, ...) {
    va_list arguments;
    va_start(arguments, command);
    const int value = va_arg(arguments, int);
    va_end(arguments);
    return fails("fcntl") ? -1 : real_fcntl(handle, command, value);
}

int wrapped_close(int handle) {
    if (static_cast<std::size_t>(handle) < registrations.size())
        registrations[static_cast<std::size_t>(handle)] = {};
    const int answer = real_close(handle);
    return fails("close") ? -1 : answer;
}

ssize_t wrapped_read(int handle, void* into, std::size_t size) {
    return fails("read") ? -1 : real_read(handle, into, size);
}

ssize_t wrapped_write(int handle, const void* from, std::size_t size) {
    return fails("write") ? -1 : real_write(handle, from, size);
}

int wrapped_eventfd(unsigned count, int flags) {
    return fails("eventfd") ? -1 : real_eventfd(count, flags);
}

int wrapped_epoll_create1(int flags) {
    return fails("epoll_create1") ? -1 : real_epoll_create1(flags);
}

int wrapped_epoll_ctl(int epoll, int what, int handle, epoll_event* event) {
    if (fails("epoll_ctl"))
        return -1;
    const int answer = real_epoll_ctl(epoll, what, handle, event);
    const auto index = static_cast<std::size_t>(handle);
    if (answer == 0 && what == EPOLL_CTL_ADD && index < registrations.size())
        registrations[index] = {epoll, *event};
    else if (what == EPOLL_CTL_DEL && index < registrations.size())
        registrations[index] = {};
    return answer;
}

int wrapped_epoll_wait(int epoll, epoll_event* events, int most, int limit_ms) {
    return fails("epoll_wait") ? -1 : real_epoll_wait(epoll, events, most, limit_ms);
}

int wrapped_epoll_pwait2(int epoll, epoll_event* events, int most, const timespec* limit,
                         const sigset_t* signals) {
    return fails("epoll_pwait2") ? -1 : real_epoll_pwait2(epoll, events, most, limit, signals);
}

void* wrapped_mmap(void* at, std::size_t bytes, int protection, int flags, int file, off_t from) {
    return fails("mmap") ? MAP_FAILED : real_mmap(at, bytes, protection, flags, file, from);
}
