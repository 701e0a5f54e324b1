// SPDX-License-Identifier: MIT
#include "multishot.hpp"

#include "../memory/fatal.hpp"
#include "../memory/frame_allocator.hpp"
#include "backend.hpp"
#include <system_error>

namespace coracle::detail {

void connection_queue::push(native_handle accepted) {
    handles_.push_back(accepted);
}

native_handle connection_queue::pop() noexcept {
    const native_handle oldest = handles_[taken_++];
    if (empty()) {
        handles_.clear();
        taken_ = 0;
    }
    return oldest;
}

void* multishot::operator new(std::size_t bytes) {
    return allocate_frame(bytes);
}

void multishot::operator delete(void* block, std::size_t bytes) noexcept {
    deallocate_frame(block, bytes);
}

multishot_use::multishot_use(pin target) : target_(std::move(target)) {
    if (!target_ || !target_->open())
        throw std::system_error(std::make_error_code(std::errc::bad_file_descriptor),
                                "the socket is closed");
    if (!target_->shots)
        target_->shots = std::make_unique<multishot>();
    if (target_->shots->wanted)
        throw std::system_error(std::make_error_code(std::errc::device_or_resource_busy),
                                "a multishot of this socket is there already");
    target_->shots->wanted = true;
}

void multishot_use::end() noexcept {
    const pin ended = std::move(target_);
    if (!ended)
        return;
    ended->shots->wanted = false;
    if (!ended->owner)
        return;
    if (ended->owner != backend::current())
        fatal("a multishot ended on another thread than that of the loop that used it");
    ended->owner->disarm(*ended);
}

} // namespace coracle::detail
