// SPDX-License-Identifier: MIT
//
// Puts the counters of the pools and the figures of the system together into a report.

#include "usage.hpp"

#include "../../memory/page.hpp"
#include "../../memory/slab_pool.hpp"
#include "gauge.hpp"

#include <fmt/format.h>
#include <iterator>

namespace coracle {

usage_report usage() noexcept {
    const detail::live_frame_counts counts = detail::count_live_frames();
    usage_report report;
    report.resident_bytes = detail::resident_bytes();
    report.slab_bytes = detail::mapped_slab_bytes();
    report.large_frames = counts.large_frames;
    report.large_bytes = counts.large_bytes;
    report.live_frames = counts.large_frames;
    report.live_bytes = counts.large_bytes;
    report.operations = detail::sum_of(detail::gauge_kind::operations);
    report.sockets = detail::sum_of(detail::gauge_kind::sockets);
    report.leases = detail::sum_of(detail::gauge_kind::leases);
    report.objects = detail::sum_of(detail::gauge_kind::objects);
    for (std::size_t index = 0; index < size_class_count; ++index) {
        size_class_usage& each = report.classes[index];
        each.block_bytes = block_bytes_of(index);
        each.live_frames = counts.frames[index];
        each.live_bytes = each.live_frames * each.block_bytes;
        report.live_frames += each.live_frames;
        report.live_bytes += each.live_bytes;
    }
    return report;
}

std::string to_string(const usage_report& report) {
    std::string text;
    auto out = std::back_inserter(text);
    fmt::format_to(out, "resident     {:>12} bytes\n", report.resident_bytes);
    fmt::format_to(out, "slabs        {:>12} bytes mapped\n", report.slab_bytes);
    fmt::format_to(out, "live frames  {:>12} in {} bytes\n", report.live_frames, report.live_bytes);
    for (const size_class_usage& each : report.classes) {
        if (each.live_frames != 0) {
            fmt::format_to(out, "  {:>6} bytes {:>10} in {} bytes\n", each.block_bytes,
                           each.live_frames, each.live_bytes);
        }
    }
    if (report.large_frames != 0) {
        fmt::format_to(out, "  larger       {:>10} in {} bytes\n", report.large_frames,
                       report.large_bytes);
    }
    fmt::format_to(out, "operations   {:>12} in flight\n", report.operations);
    fmt::format_to(out, "sockets      {:>12} open\n", report.sockets);
    fmt::format_to(out, "leases       {:>12} of buffers\n", report.leases);
    fmt::format_to(out, "objects      {:>12} in pools\n", report.objects);
    return text;
}

std::string to_json(const usage_report& report) {
    std::string text;
    auto out = std::back_inserter(text);
    fmt::format_to(out,
                   R"({{"resident_bytes":{},"slab_bytes":{},"live_frames":{},"live_bytes":{},)"
                   R"("large_frames":{},"large_bytes":{},"operations":{},"sockets":{},)"
                   R"("leases":{},"objects":{},"classes":[)",
                   report.resident_bytes, report.slab_bytes, report.live_frames, report.live_bytes,
                   report.large_frames, report.large_bytes, report.operations, report.sockets,
                   report.leases, report.objects);
    for (const char* separator = ""; const size_class_usage& each : report.classes) {
        if (each.live_frames == 0)
            continue;
        fmt::format_to(out, R"({}{{"block_bytes":{},"live_frames":{},"live_bytes":{}}})", separator,
                       each.block_bytes, each.live_frames, each.live_bytes);
        separator = ",";
    }
    return text + "]}";
}

} // namespace coracle
