// SPDX-License-Identifier: MIT
//
// The echo server of the benchmarks, where that is built.
#include "program.hpp"

#include <cstdlib>
#include <doctest/doctest.h>
#include <string>
#include <vector>

using coracle::test::blocking_connection;
using coracle::test::program;

namespace {

/// Its line is "port=N".
std::uint16_t port_of(program& server) {
    const std::string line = server.output.line();
    REQUIRE(line.starts_with("port="));
    return static_cast<std::uint16_t>(std::stoi(line.substr(5)));
}

} // namespace

TEST_CASE("echo_server: a connection that is reset ends alone") {
    for (const bool receives_many : {false, true}) {
        CAPTURE(receives_many);
        std::vector<std::string> arguments;
        if (receives_many)
            arguments.emplace_back("--receive-many");
        program server(CORACLE_ECHO_SERVER, arguments);
        const std::uint16_t port = port_of(server);
        blocking_connection stays(port);
        for (int i = 0; i < 20; ++i) {
            blocking_connection gone(port);
            gone.send("not read");
            gone.reset();
            stays.send("a");
            REQUIRE(stays.take(1) == "a");
        }
    }
}
