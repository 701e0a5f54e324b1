// SPDX-License-Identifier: MIT
//
// collected_warnings: what the library has to say, for a test to look at.
#pragma once

#include <coracle/runtime/diagnostics/warning.hpp>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace coracle::test {

/// Collects the warnings of every thread instead of printing them, while it lives. One at a time.
class collected_warnings {
public:
    collected_warnings() noexcept : before_(set_warning_handler(collect)) { lines().clear(); }

    ~collected_warnings() { set_warning_handler(before_); }

    collected_warnings(const collected_warnings&) = delete;
    collected_warnings& operator=(const collected_warnings&) = delete;

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

    warning_handler before_;
};

} // namespace coracle::test
