// SPDX-License-Identifier: MIT
//
// The web server as a program.
#include "program.hpp"

#include <doctest/doctest.h>

using coracle::test::blocking_connection;
using coracle::test::program;
using coracle::test::words_for;

namespace {

class web_server : public program {
public:
    web_server() : program(CORACLE_HTTP_HELLO, {"0"}) {
        const std::string line = output.line();
        REQUIRE(line.starts_with("http_hello: listening on http://127.0.0.1:"));
        port_ = static_cast<std::uint16_t>(std::stoi(line.substr(line.rfind(':') + 1)));
    }

    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

private:
    std::uint16_t port_ = 0;
};

constexpr std::string_view hello = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                                   "Content-Length: 7\r\nConnection: ";

/// The answer to a request, which has to be the last one of its connection.
std::string last_answer(std::uint16_t port, std::string_view request) {
    blocking_connection client(port);
    client.send(request);
    return client.rest();
}

} // namespace

TEST_CASE("http_hello: requests on a connection that is kept, in pieces and in a row") {
    web_server web;
    blocking_connection client(web.port());
    const std::string answer = std::string(hello) + "keep-alive\r\n\r\nhello!\n";
    const std::string_view request = "GET /any/where HTTP/1.1\r\nHost: here\r\nAccept: */*\r\n\r\n";
    client.send(request);
    CHECK(client.take(answer.size()) == answer);
    for (const char each : request)
        client.send(std::string(1, each));
    CHECK(client.take(answer.size()) == answer);
    std::string many;
    for (int i = 0; i < 1000; ++i)
        many += request;
    client.send(many);
    for (int i = 0; i < 1000; ++i)
        REQUIRE(client.take(answer.size()) == answer);
    client.end_sending();
    CHECK(client.rest().empty());
}

TEST_CASE("http_hello: connections that are not kept") {
    web_server web;
    const std::string answer = std::string(hello) + "close\r\n\r\nhello!\n";
    CHECK(last_answer(web.port(), "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n") ==
          answer);
    CHECK(last_answer(web.port(), "GET / HTTP/1.1\r\nconnection:  x , CLOSE\r\n\r\nGET / x") ==
          answer);
    CHECK(last_answer(web.port(), "GET / HTTP/1.0\r\n\r\n") == answer);
    CHECK(last_answer(web.port(), "GET / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc") == answer);
    CHECK(last_answer(web.port(),
                      "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n") ==
          std::string(hello) + "keep-alive\r\n\r\nhello!\n" + answer);
}

TEST_CASE("http_hello: what is no GET is refused") {
    web_server web;
    const auto status = [&web](std::string_view request) {
        return last_answer(web.port(), request).substr(0, 12);
    };
    const std::string refused =
        last_answer(web.port(), "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc");
    CHECK(refused.starts_with("HTTP/1.1 405 "));
    CHECK(refused.find("\r\nAllow: GET\r\n") != std::string::npos);
    for (const char* const bad :
         {"\r\n\r\n", "garbage\r\n\r\n", "GET /\r\n\r\n", "GET / HTTP/2\r\n\r\n",
          "GET / and more HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nno colon\r\n\r\n",
          "GET / HTTP/1.1\r\n: no name\r\n\r\n", "GET / HTTP/1.1\r\nblank in: it\r\n\r\n"}) {
        CAPTURE(bad);
        CHECK(status(bad) == "HTTP/1.1 400");
    }
    CHECK(status(std::string(8192, 'x')) == "HTTP/1.1 431");
    CHECK(status("GET / HTTP/1.1\r\nCookie: " + std::string(100'000, 'x')) == "HTTP/1.1 431");
}

TEST_CASE("http_hello: connections that are reset end alone") {
    web_server web;
    for (int i = 0; i < 20; ++i) {
        blocking_connection gone(web.port());
        gone.send("GET / HTT");
        gone.reset();
        const std::string answer = last_answer(web.port(), "GET / HTTP/1.0\r\n\r\n");
        REQUIRE(answer.starts_with("HTTP/1.1 200 OK\r\n"));
    }
}

TEST_CASE("http_hello: a port in use and a bad one are told in one line") {
    web_server web;
    const std::string port = std::to_string(web.port());
    program second(CORACLE_HTTP_HELLO, {port});
    CHECK(second.exit_code() == 1);
    CHECK(second.complaint == "http_hello: cannot bind to 127.0.0.1:" + port + ": " +
                                  words_for(std::errc::address_in_use) + "\n");
    program bad(CORACLE_HTTP_HELLO, {"none"});
    CHECK(bad.exit_code() == 1);
    CHECK(bad.complaint.starts_with("http_hello: bad address '127.0.0.1:none'"));
}
