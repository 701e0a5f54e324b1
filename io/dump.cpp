// SPDX-License-Identifier: MIT
#include "dump.hpp"

#include "../runtime/diagnostics/inspect.hpp"
#include "signal.hpp"
#include <cstdio>
#include <memory>
#include <utility>

namespace coracle {

namespace {

void write_to_standard_error(std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stderr);
}

task<> dump_at_each(std::unique_ptr<signal_set> signals,
                    std::function<void(std::string_view)> sink) {
    name_this_job("dump_on");
    for (;;) {
        co_await signals->next();
        sink(dump());
    }
}

} // namespace

std::string dump() {
    const inspection seen = inspect();
    return to_string(seen) + to_string(seen.usage());
}

task<> dump_on(int signal, std::function<void(std::string_view)> sink, creation_site where) {
    if (!sink)
        sink = write_to_standard_error;
    return dump_at_each(std::make_unique<signal_set>(std::initializer_list<int>{signal}, where),
                        std::move(sink));
}

} // namespace coracle
