// SPDX-License-Identifier: MIT
//
// multishot_use: that somebody accepts or receives again and again, which is what accept_many and
// receive_many give. A kernel that can do all of it for one request is told so by this; elsewhere
// every accept and receive asks for itself, with the same results.
#pragma once

#include "buffer_pool.hpp"
#include "descriptor.hpp"

namespace coracle::detail {

/// One at a time for a descriptor.
class multishot_use {
public:
    multishot_use() noexcept = default;

    /// errors   std::system_error: error::read_under_way or, without `into`, accept_under_way if
    ///          there is another one, bad_file_descriptor if it is closed
    explicit multishot_use(descriptor_ref target, buffer_pool* into = nullptr);

    multishot_use(multishot_use&& other) noexcept = default;

    multishot_use& operator=(multishot_use&& other) noexcept {
        if (this != &other) {
            end();
            target_ = std::move(other.target_);
            into_ = other.into_;
        }
        return *this;
    }

    ~multishot_use() { end(); }

    [[nodiscard]] const descriptor_ref& target() const noexcept { return target_; }

    [[nodiscard]] buffer_pool& into() const noexcept { return *into_; }

    /// On the thread of the loop that uses the descriptor.
    void end() noexcept;

private:
    descriptor_ref target_;
    buffer_pool* into_ = nullptr; // of a stream
};

} // namespace coracle::detail
