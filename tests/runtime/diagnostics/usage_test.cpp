// SPDX-License-Identifier: MIT
//
// The usage report: its figures follow what is allocated, from whichever thread, and its text names
// what is alive.

#include "frames.hpp"

#include <doctest/doctest.h>
#include <string>
#include <vector>

using namespace coracle;
using namespace coracle::test;

TEST_CASE("usage: live frames are counted in their class, also without the pool") {
    const usage_report before = usage();
    const std::vector<void*> frames = allocate_frames(10, 300);
    const usage_report during = usage();
    const std::size_t size_class = size_class_of(300);
    CHECK(during.classes[size_class].block_bytes == 320);
    CHECK(during.classes[size_class].live_frames == before.classes[size_class].live_frames + 10);
    CHECK(during.classes[size_class].live_bytes ==
          before.classes[size_class].live_bytes + std::size_t{10} * 320);
    CHECK(during.live_frames == before.live_frames + 10);
    CHECK(during.live_bytes == before.live_bytes + std::size_t{10} * 320);
    deallocate_frames(frames, 300);
    CHECK(usage().live_frames == before.live_frames);
    CHECK(usage().live_bytes == before.live_bytes);
}

TEST_CASE("usage: large frames are counted by what was asked for") {
    const usage_report before = usage();
    const std::size_t bytes = largest_block_bytes + 1;
    void* frame = allocate_frame(bytes);
    CHECK(usage().large_frames == before.large_frames + 1);
    CHECK(usage().large_bytes == before.large_bytes + bytes);
    CHECK(usage().live_frames == before.live_frames + 1);
    CHECK(usage().live_bytes == before.live_bytes + bytes);
    CHECK(usage().slab_bytes == before.slab_bytes);
    deallocate_frame(frame, bytes);
    CHECK(usage().large_frames == before.large_frames);
    CHECK(usage().large_bytes == before.large_bytes);
}

TEST_CASE("usage: a frame freed by another thread is not alive, wherever it was counted") {
    const std::size_t before = usage().live_frames;
    void* frame = allocate_frame(64);
    on_another_thread([frame] {
        void* own = allocate_frame(64); // so that this thread counts in a pool of its own
        deallocate_frame(frame, 64);
        deallocate_frame(own, 64);
    });
    CHECK(usage().live_frames == before);
}

TEST_CASE("usage: the resident size is known") {
    CHECK(usage().resident_bytes > 100 * 1024);
}

namespace {

usage_report some_report() {
    usage_report report;
    report.resident_bytes = 1234567;
    report.slab_bytes = 262144;
    report.classes[size_class_of(320)] = {320, 2, 640};
    report.large_frames = 1;
    report.large_bytes = 40000;
    report.live_frames = 3;
    report.live_bytes = 40640;
    report.operations = 7;
    report.sockets = 4;
    report.leases = 2;
    report.objects = 1;
    return report;
}

} // namespace

TEST_CASE("usage: the text names the classes that are alive, and no others") {
    const usage_report report = some_report();
    CHECK(to_string(report) == "resident          1234567 bytes\n"
                               "slabs              262144 bytes mapped\n"
                               "live frames             3 in 40640 bytes\n"
                               "     320 bytes          2 in 640 bytes\n"
                               "  larger                1 in 40000 bytes\n"
                               "operations              7 in flight\n"
                               "sockets                 4 open\n"
                               "leases                  2 of buffers\n"
                               "objects                 1 in pools\n");
}

TEST_CASE("usage: JSON says the same") {
    CHECK(to_json(some_report()) ==
          R"({"resident_bytes":1234567,"slab_bytes":262144,"live_frames":3,"live_bytes":40640,)"
          R"("large_frames":1,"large_bytes":40000,"operations":7,"sockets":4,"leases":2,)"
          R"("objects":1,"classes":[{"block_bytes":320,"live_frames":2,"live_bytes":640}]})");
    CHECK(to_json(usage_report()).ends_with(R"("objects":0,"classes":[]})"));
}

TEST_CASE("usage: fmt prints a report as it is") {
    CHECK(format_as(some_report()) == to_string(some_report()));
}
