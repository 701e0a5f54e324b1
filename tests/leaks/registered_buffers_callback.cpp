// SPDX-License-Identifier: MIT
//
// A provider registers buffers with the kernel and gives out their ids. `unregister_buffer` only
// forgets the id, so the kernel keeps the pages for good, until it refuses to take more.
//
// usage: registered_buffers_callback LOCKABLE-BYTES BUFFERS
#include "locked_memory.hpp"

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <liburing.h>
#include <map>
#include <sys/mman.h>

namespace {

constexpr std::size_t buffer_bytes = 65536;
constexpr unsigned max_buffers = 1024;

class uring_provider {
public:
    uring_provider() {
        if (io_uring_queue_init(8, &ring_, 0) != 0)
            coracle::test::skip("io_uring does not work here");
        if (io_uring_register_buffers_sparse(&ring_, max_buffers) != 0)
            coracle::test::skip("this kernel has no table of buffers that can be filled later");
    }

    ~uring_provider() { io_uring_queue_exit(&ring_); }

    uring_provider(const uring_provider&) = delete;
    uring_provider& operator=(const uring_provider&) = delete;

    /// An id, or a negative error number.
    std::int64_t register_buffer(void* buffer, std::size_t size) {
        const iovec place = {buffer, size};
        const __u64 tag = 0;
        const unsigned slot = next_id_;
        const int updated = io_uring_register_buffers_update_tag(&ring_, slot, &place, &tag, 1);
        if (updated < 0)
            return updated;
        registered_[next_id_] = slot;
        return next_id_++;
    }

    void unregister_buffer(std::uint32_t id) { registered_.erase(id); }

private:
    io_uring ring_ = {};
    std::map<std::uint32_t, unsigned> registered_;
    std::uint32_t next_id_ = 0;
};

} // namespace

int main(int, char** arguments) {
    coracle::test::become_user_with(static_cast<std::size_t>(std::atoll(arguments[1])));
    const int buffers = std::atoi(arguments[2]);
    uring_provider provider;
    const long long pinned_before = coracle::test::pinned_bytes();
    long long registered = 0;
    int refused_with = 0;
    while (registered < buffers && refused_with == 0) {
        void* const buffer =
            mmap(nullptr, buffer_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        const std::int64_t id = provider.register_buffer(buffer, buffer_bytes);
        if (id < 0) {
            refused_with = static_cast<int>(-id);
        } else {
            ++registered;
            provider.unregister_buffer(static_cast<std::uint32_t>(id));
        }
        munmap(buffer, buffer_bytes);
    }
    coracle::test::tell("registered", registered);
    coracle::test::tell("refused_for_memory", refused_with == ENOMEM);
    coracle::test::tell("pinned_bytes_left", coracle::test::pinned_bytes() - pinned_before);
}
