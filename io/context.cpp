// SPDX-License-Identifier: MIT
//
// The choice of a backend. By name there is one candidate and its failure is an error; otherwise
// the first that can be made is taken, and what was passed over is said once.
#include "context.hpp"

#include "../memory/fatal.hpp"
#include "../runtime/diagnostics/warning.hpp"
#include "backend.hpp"
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fmt/format.h>
#include <stdexcept>
#include <vector>

namespace coracle {

namespace {

/// A server that leaks its sessions leaks many, and the first ones tell where.
constexpr std::size_t max_reported = 32;

const detail::backend_kind& kind_of(std::string_view name) {
    std::string known;
    for (const detail::backend_kind& kind : detail::backend_kinds()) {
        if (kind.name == name)
            return kind;
        known += fmt::format("{}{}", known.empty() ? "" : ", ", kind.name);
    }
    throw std::invalid_argument(
        fmt::format("there is no backend called '{}'; there are: {}", name, known));
}

std::string wanted_backend(const context_options& options) {
    const char* const forced = std::getenv("CORACLE_BACKEND");
    return forced && *forced ? std::string(forced) : options.backend;
}

std::unique_ptr<backend> make_named(const context_options& options, const std::string& name,
                                    std::string& reason) {
    std::string failure;
    std::unique_ptr<backend> made = kind_of(name).make(options, failure);
    if (!made)
        throw std::runtime_error(
            fmt::format("the backend {} was asked for but does not work here: {}", name, failure));
    reason = "it was asked for";
    return made;
}

std::unique_ptr<backend> make_best(const context_options& options, std::string& reason) {
    std::string passed_over;
    for (const detail::backend_kind& kind : detail::backend_kinds()) {
        std::string failure;
        std::unique_ptr<backend> made = kind.make(options, failure);
        if (made) {
            if (passed_over.empty()) {
                reason = "the best one that works here";
            } else {
                reason = passed_over;
                static std::atomic<bool> said = false; // a program may have a context on each core
                if (!said.exchange(true))
                    warning(fmt::format("using {}: {}", kind.name, passed_over));
            }
            return made;
        }
        passed_over += fmt::format("{}{} does not work here: {}", passed_over.empty() ? "" : "; ",
                                   kind.name, failure);
    }
    throw std::runtime_error(passed_over);
}

std::unique_ptr<backend> make_backend(const context_options& options, std::string& reason) {
    const std::string name = wanted_backend(options);
    return name.empty() ? make_best(options, reason) : make_named(options, name, reason);
}

} // namespace

context::context(const context_options& options)
    : reports_(options.report_leaks), backend_(make_backend(options, reason_)), loop_(*backend_) {
    detail::disown_context_after_fork();
    detail::this_thread.context = this;
    backend::set_current(backend_.get());
}

context::~context() {
    if (detail::this_thread.context != this)
        detail::no_loop_here("a context was destroyed on another thread than its own");
    finish_closing();
    if (detail::multishot_source* const source = backend_->optional().multishot)
        source->return_buffers();
    if (detail::inspectable && reports_)
        report_leaks();
    backend_->detach_all();
    backend::set_current(nullptr);
    detail::this_thread.context = nullptr;
}

context& context::current() {
    if (!detail::this_thread.context)
        detail::no_loop_here("no context is on this thread: call this from within coracle::run");
    return *static_cast<context*>(detail::this_thread.context);
}

std::vector<leak> context::leaks() const {
    std::vector<leak> held = detail::leaks_of_this_thread();
    backend_->list_sockets(held);
    std::erase_if(held, [](const leak& each) { return !each.where.job(); });
    return held;
}

void context::report_leaks() noexcept {
    try {
        std::vector<leak> held = leaks();
        loop_.end_posting(held);
        for (std::size_t i = 0; i < std::min(held.size(), max_reported); ++i)
            warning(to_string(held[i]));
        if (held.size() > max_reported)
            warning(fmt::format("still held at the end: {} more", held.size() - max_reported));
    } catch (...) {
        warning("there is no memory to say what is still held at the end");
    }
}

void context::finish_closing() noexcept {
    backend_->finish_closing();
}

std::string_view context::backend_name() const noexcept {
    return backend_->name();
}

std::size_t context::operations_in_flight() const noexcept {
    return backend_->operations_in_flight();
}

std::size_t context::open_sockets() const noexcept {
    return backend_->descriptors();
}

backend_status probe_backend(std::string_view name) {
    std::string reason;
    const bool works = kind_of(name).make(context_options(), reason) != nullptr;
    return {works, works ? "it works here" : reason};
}

std::span<const std::string_view> backend_names() {
    static const std::vector<std::string_view> names = [] {
        std::vector<std::string_view> all;
        for (const detail::backend_kind& kind : detail::backend_kinds())
            all.push_back(kind.name);
        return all;
    }();
    return names;
}

} // namespace coracle
