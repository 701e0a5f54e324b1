// SPDX-License-Identifier: MIT
//
// rio_api: registered I/O as Windows 8 and newer have it, declared here because not every set of
// headers does. The sizes are those of the system. Private.
#pragma once

#include "winsock.hpp"

namespace coracle::rio {

// Handles, of a kind each.
using buffer_id = struct buffer_id_of_system*;
using completion_queue = struct completion_queue_of_system*;
using request_queue = struct request_queue_of_system*;

inline const buffer_id no_buffer = reinterpret_cast<buffer_id>(ULONG_PTR{0xFFFFFFFF});
inline constexpr ULONG corrupt_queue = 0xFFFFFFFF;
inline constexpr DWORD max_completions = 0x8000000; // in a completion queue

// Flags of a request.
inline constexpr DWORD dont_notify = 1;
inline constexpr DWORD defer = 2;
inline constexpr DWORD wait_for_all = 4;
inline constexpr DWORD commit_only = 8;

/// A part of a registered buffer: RIO_BUF.
struct slice {
    buffer_id id;
    ULONG offset;
    ULONG length;
};

/// What has come of a request: RIORESULT.
struct completion {
    LONG status;
    ULONG bytes;
    ULONGLONG socket_context;
    ULONGLONG request_context;
};

enum class notification_kind : int { event = 1, port = 2 };

/// How a completion queue tells that it is not empty: RIO_NOTIFICATION_COMPLETION.
struct notification {
    notification_kind kind;

    union {
        struct {
            HANDLE handle;
            BOOL reset;
        } event;

        struct {
            HANDLE handle;
            void* key;
            void* overlapped; // comes with the packet; not null
        } port;
    };
};

/// RIO_EXTENSION_FUNCTION_TABLE.
struct functions {
    DWORD size;
    BOOL(PASCAL* receive)(request_queue, slice*, ULONG count, DWORD flags, void* context);
    int(PASCAL* receive_ex)(request_queue, slice*, ULONG count, slice* local, slice* remote,
                            slice* control, slice* flags_out, DWORD flags, void* context);
    BOOL(PASCAL* send)(request_queue, slice*, ULONG count, DWORD flags, void* context);
    BOOL(PASCAL* send_ex)(request_queue, slice*, ULONG count, slice* local, slice* remote,
                          slice* control, slice* flags_out, DWORD flags, void* context);
    void(PASCAL* close_completion_queue)(completion_queue);
    completion_queue(PASCAL* create_completion_queue)(DWORD size, notification*);
    request_queue(PASCAL* create_request_queue)(SOCKET, ULONG max_receives, ULONG receive_buffers,
                                                ULONG max_sends, ULONG send_buffers,
                                                completion_queue receives, completion_queue sends,
                                                void* context);
    ULONG(PASCAL* dequeue_completion)(completion_queue, completion*, ULONG capacity);
    void(PASCAL* deregister_buffer)(buffer_id);
    int(PASCAL* notify)(completion_queue);
    buffer_id(PASCAL* register_buffer)(char*, DWORD size);
    BOOL(PASCAL* resize_completion_queue)(completion_queue, DWORD size);
    BOOL(PASCAL* resize_request_queue)(request_queue, DWORD max_receives, DWORD max_sends);
};

static_assert(sizeof(slice) == 16 && sizeof(completion) == 24 && sizeof(functions) == 112);
static_assert(sizeof(notification) == 32);

inline constexpr DWORD code_of_tables = 0xC8000024; // SIO_GET_MULTIPLE_EXTENSION_FUNCTION_POINTER
inline constexpr GUID table_name = {
    0x8509e081, 0x96dd, 0x4005, {0xb1, 0x65, 0x9e, 0x2e, 0xe8, 0xc7, 0x9e, 0x3f}};

} // namespace coracle::rio
