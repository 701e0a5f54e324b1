// SPDX-License-Identifier: MIT
//
// fault: a call that is made to fail, chosen by its name and by how many there were before it. This
// program's linker leads the library's calls through wrapped_*.cpp, which ask here each time. Only
// the thread that has planned a fault meets it.
#pragma once

#include <string_view>

namespace coracle::test {

class fault {
public:
    enum class lasting { once, twice, always };

    /// No error number: less is done than was asked for.
    static constexpr int cut_short = -1;

    /// From here to its end, the `nth` call of that name fails with `error`, and the next one or
    /// all later ones too if that is to last. One at a time.
    fault(std::string_view call, int nth, int error, lasting how_long = lasting::once) noexcept;
    ~fault();
    fault(const fault&) = delete;
    fault& operator=(const fault&) = delete;

    [[nodiscard]] bool struck() const noexcept { return struck_ > 0; }

private:
    friend int planned_error(std::string_view call) noexcept;

    std::string_view call_;
    int left_;
    int error_;
    lasting how_long_;
    int struck_ = 0;
};

/// While it lives, a call of that name stops before it is made until `release`, on any thread. One
/// at a time.
class held_call {
public:
    explicit held_call(std::string_view call) noexcept;
    ~held_call();
    held_call(const held_call&) = delete;
    held_call& operator=(const held_call&) = delete;

    /// Whether a call has come to it.
    [[nodiscard]] static bool reached() noexcept;
    static void release() noexcept;
};

/// For what stands in for a call: waits there if it is held.
void wait_if_held(std::string_view call) noexcept;

/// For what stands in for a call: the error with which it has to fail now, or 0.
[[nodiscard]] int planned_error(std::string_view call) noexcept;

/// Frames come from a pool, which asks for memory only now and then. Between these two each frame
/// asks anew, so that each can fail.
void watch_frames() noexcept;
void unwatch_frames() noexcept;

/// Whether this kernel can be made to answer a request to an io_uring as planned.
[[nodiscard]] bool can_answer_requests() noexcept;

} // namespace coracle::test
