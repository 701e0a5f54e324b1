// SPDX-License-Identifier: MIT
//
// Walking the tree, and writing it as text and as JSON. Nothing is resumed meanwhile, so that it
// holds still.
#include "inspect.hpp"

#include "../loop.hpp"
#include "describe.hpp"
#include <algorithm>
#include <exception>
#include <fmt/format.h>
#include <iterator>
#include <utility>

namespace coracle {

namespace {

using output = std::back_insert_iterator<std::string>;

std::vector<frame_view> frames_of(const job& seen) {
    std::vector<frame_view> frames;
    for (const detail::promise_base* frame = seen.frame(); frame; frame = frame->continuation) {
        const std::source_location at = frame->where.get();
        frames.push_back({at.function_name(), at.file_name(), at.line()});
    }
    std::reverse(frames.begin(), frames.end());
    return frames;
}

/// Zero where no times are recorded.
std::chrono::nanoseconds age_of(time_point since) noexcept {
    return detail::inspectable ? detail::this_thread.iteration_start - since
                               : std::chrono::nanoseconds(0);
}

job_view view_of(const job& seen, std::size_t& count) {
    ++count;
    job_view view;
    view.name = seen.name();
    view.cancelled = seen.cancelled();
    view.age = age_of(seen.started());
    view.frames = frames_of(seen);
    const awaiter* const pending = seen.pending();
    view.state = pending        ? job_state::waiting
                 : seen.frame() ? job_state::ready
                                : job_state::running;
    if (pending) {
        detail::awaiter_notes notes;
        pending->describe(notes);
        view.kind = pending->kind();
        view.detail = std::move(notes.detail);
        view.waiting_for = age_of(pending->since());
        for (const job* child : notes.children)
            view.children.push_back(view_of(*child, count));
    }
    return view;
}

std::size_t count_waiting(const job_view& view, std::string_view kind) noexcept {
    std::size_t count = view.state == job_state::waiting && view.kind == kind ? 1 : 0;
    for (const job_view& child : view.children)
        count += count_waiting(child, kind);
    return count;
}

std::string_view state_name(job_state state) noexcept {
    switch (state) {
    case job_state::running:
        return "running";
    case job_state::ready:
        return "ready";
    case job_state::waiting:
        return "waiting";
    }
    return "";
}

/// "350ns", "12.5us", "4ms", "83.1s": four significant digits, and whole seconds where those take
/// more.
std::string text_of(std::chrono::nanoseconds time) {
    const auto count = static_cast<double>(time.count());
    if (count < 1e3)
        return fmt::format("{:g}ns", count);
    if (count < 1e6)
        return fmt::format("{:.4g}us", count / 1e3);
    if (count < 1e9)
        return fmt::format("{:.4g}ms", count / 1e6);
    return count < 1e12 ? fmt::format("{:.4g}s", count / 1e9) : fmt::format("{:.0f}s", count / 1e9);
}

void write_job(output to, const job_view& job, std::size_t depth) {
    const std::string_view name = job.name.empty() ? "job" : detail::short_name(job.name);
    fmt::format_to(to, "{:{}}{}: {}", "", 2 * depth, name, state_name(job.state));
    if (job.state == job_state::waiting) {
        fmt::format_to(to, " for {}", job.kind);
        if (!job.detail.empty())
            fmt::format_to(to, " ({})", job.detail);
        fmt::format_to(to, " since {}", text_of(job.waiting_for));
    }
    fmt::format_to(to, ", age {}{}\n", text_of(job.age), job.cancelled ? ", cancelled" : "");
    for (const frame_view& frame : job.frames)
        fmt::format_to(to, "{:{}}at {} ({}:{})\n", "", 2 * depth + 4,
                       detail::short_name(frame.function), detail::base_name(frame.file),
                       frame.line);
    for (const job_view& child : job.children)
        write_job(to, child, depth + 1);
}

void write_json_text(output to, std::string_view text) {
    *to++ = '"';
    for (const char each : text) {
        if (each == '"' || each == '\\')
            fmt::format_to(to, "\\{}", each);
        else if (static_cast<unsigned char>(each) < 0x20)
            fmt::format_to(to, "\\u{:04x}", static_cast<unsigned>(each));
        else
            *to++ = each;
    }
    *to++ = '"';
}

void write_json(output to, const frame_view& frame) {
    fmt::format_to(to, "{{\"function\":");
    write_json_text(to, frame.function);
    fmt::format_to(to, ",\"file\":");
    write_json_text(to, frame.file);
    fmt::format_to(to, ",\"line\":{}}}", frame.line);
}

void write_json(output to, const job_view& job);

template <class Range>
void write_json_list(output to, std::string_view name, const Range& list) {
    fmt::format_to(to, ",\"{}\":[", name);
    for (bool first = true; const auto& each : list) {
        if (!first)
            *to++ = ',';
        first = false;
        write_json(to, each);
    }
    *to++ = ']';
}

void write_json(output to, const job_view& job) {
    fmt::format_to(to, "{{\"name\":");
    write_json_text(to, job.name);
    fmt::format_to(to, ",\"state\":\"{}\",\"cancelled\":{},\"age_ns\":{}", state_name(job.state),
                   job.cancelled, job.age.count());
    if (job.state == job_state::waiting) {
        fmt::format_to(to, ",\"kind\":");
        write_json_text(to, job.kind);
        fmt::format_to(to, ",\"detail\":");
        write_json_text(to, job.detail);
        fmt::format_to(to, ",\"waiting_ns\":{}", job.waiting_for.count());
    }
    write_json_list(to, "frames", job.frames);
    write_json_list(to, "children", job.children);
    *to++ = '}';
}

// What another thread posts to a loop that it wants to look into.
class inspection_request {
public:
    std::future<inspection> promised() { return answer_.get_future(); }

    void operator()() {
        try {
            answer_.set_value(inspect());
        } catch (...) {
            answer_.set_exception(std::current_exception());
        }
    }

private:
    std::promise<inspection> answer_;
};

} // namespace

inspection inspection::of_this_loop() {
    const loop& seen = loop::current();
    inspection taken;
    if (seen.main_)
        taken.root_ = view_of(*seen.main_, taken.jobs_);
    taken.timers_ = seen.timers_.size();
    taken.driver_ = seen.driver_->totals();
    taken.usage_ = coracle::usage();
    return taken;
}

std::future<inspection> inspect(const loop_handle& other, creation_site where) {
    // If it is not taken it is destroyed unrun, and the promise with it.
    inspection_request request;
    std::future<inspection> promised = request.promised();
    static_cast<void>(other.post(std::move(request), where));
    return promised;
}

std::size_t inspection::waiting_for(std::string_view kind) const noexcept {
    return jobs_ == 0 ? 0 : count_waiting(root_, kind);
}

std::string to_string(const inspection& seen) {
    std::string text = fmt::format("{} jobs, {} timers, {} operations in flight, {} sockets\n",
                                   seen.jobs(), seen.timers(), seen.operations(), seen.sockets());
    if (seen.jobs() > 0)
        write_job(std::back_inserter(text), seen.root(), 0);
    return text;
}

std::string to_json(const inspection& seen) {
    std::string text = fmt::format(
        R"({{"jobs":{},"timers":{},"operations":{},"sockets":{},"usage":{},"root":)", seen.jobs(),
        seen.timers(), seen.operations(), seen.sockets(), to_json(seen.usage()));
    if (seen.jobs() > 0)
        write_json(std::back_inserter(text), seen.root());
    else
        text += "null";
    return text + "}";
}

} // namespace coracle
