// SPDX-License-Identifier: MIT
//
// The server's own report is what the soak reads.
#include "sample.hpp"

#include <coracle/coracle.hpp>
#include <doctest/doctest.h>

TEST_CASE("soak sample: it is read from the report of usage()") {
    coracle::usage_report report;
    report.resident_bytes = 1;
    report.slab_bytes = 2;
    report.live_frames = 3;
    report.operations = 4;
    report.sockets = 5;
    report.objects = 6;
    const std::optional<soak::sample> taken = soak::parse_report(coracle::to_json(report));
    REQUIRE(taken);
    CHECK(soak::csv_row(*taken) == "0,0,1,2,3,4,5,6,0");
    CHECK(soak::csv_header() ==
          "age_s,connections,resident_bytes,slab_bytes,live_frames,operations,"
          "sockets,sessions,descriptors");
}

TEST_CASE("soak sample: other lines are none") {
    CHECK_FALSE(soak::parse_report(""));
    CHECK_FALSE(soak::parse_report("chat: listening on 127.0.0.1:7777"));
    CHECK_FALSE(soak::parse_report(R"({"resident_bytes":1})"));
    CHECK_FALSE(soak::parse_report(R"({"resident_bytes":"x"})"));
}
