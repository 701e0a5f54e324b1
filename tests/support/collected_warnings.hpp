// SPDX-License-Identifier: MIT
//
// collected_notices: what the library has to say, for a test to look at.
#pragma once

#include <coracle/runtime/diagnostics/warning.hpp>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace coracle::test {

/// Collects the notices of every thread instead of printing them, while it lives. One at a time.
class collected_notices {
public:
    collected_notices() noexcept : before_(set_notice_sink(collect)) { lines().clear(); }

    ~collected_notices() { set_notice_sink(before_); }

    collected_notices(const collected_notices&) = delete;
    collected_notices& operator=(const collected_notices&) = delete;

    /// Those so far, in order.
    [[nodiscard]] static std::vector<std::string> all() {
        const std::lock_guard guard(lock());
        return lines();
    }

private:
    static void collect(std::string_view line) noexcept {
        const std::lock_guard guard(lock());
        lines().emplace_back(line);
    }

    static std::mutex& lock() {
        static std::mutex only;
        return only;
    }

    static std::vector<std::string>& lines() {
        static std::vector<std::string> only;
        return only;
    }

    notice_sink before_;
};

} // namespace coracle::test
