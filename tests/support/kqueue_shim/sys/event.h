// SPDX-License-Identifier: MIT
//
// kqueue for Linux, so far as Coracle's tests need it: see kqueue_shim.cpp. The names, values and
// fields are those of kqueue(2) of FreeBSD.
#pragma once

#include <cstdint>
#include <ctime>

struct kevent {
    std::uintptr_t ident;
    short filter;
    unsigned short flags;
    unsigned fflags;
    std::int64_t data;
    void* udata;
    std::uint64_t ext[4];
};

inline constexpr short EVFILT_READ = -1;
inline constexpr short EVFILT_WRITE = -2;
inline constexpr short EVFILT_TIMER = -7;
inline constexpr short EVFILT_USER = -11;

// What is asked for.
inline constexpr int EV_ADD = 0x0001;
inline constexpr int EV_DELETE = 0x0002;
inline constexpr int EV_ENABLE = 0x0004;
inline constexpr int EV_DISABLE = 0x0008;
inline constexpr int EV_ONESHOT = 0x0010;
inline constexpr int EV_CLEAR = 0x0020;
inline constexpr int EV_RECEIPT = 0x0040;
inline constexpr int EV_DISPATCH = 0x0080;

// What is answered.
inline constexpr int EV_EOF = 0x8000;
inline constexpr int EV_ERROR = 0x4000;

// Of EVFILT_TIMER; without one of them, `data` is in milliseconds.
inline constexpr unsigned NOTE_SECONDS = 0x00000001;
inline constexpr unsigned NOTE_MSECONDS = 0x00000002;
inline constexpr unsigned NOTE_USECONDS = 0x00000004;
inline constexpr unsigned NOTE_NSECONDS = 0x00000008;

// Of EVFILT_USER.
inline constexpr unsigned NOTE_FFNOP = 0x00000000;
inline constexpr unsigned NOTE_FFAND = 0x40000000;
inline constexpr unsigned NOTE_FFOR = 0x80000000;
inline constexpr unsigned NOTE_FFCOPY = 0xc0000000;
inline constexpr unsigned NOTE_FFCTRLMASK = 0xc0000000;
inline constexpr unsigned NOTE_FFLAGSMASK = 0x00ffffff;
inline constexpr unsigned NOTE_TRIGGER = 0x01000000;

int kqueue() noexcept;

int kevent(int queue, const struct kevent* changes, int change_count, struct kevent* events,
           int event_count, const timespec* limit) noexcept;
