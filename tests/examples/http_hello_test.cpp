// SPDX-License-Identifier: MIT
//
// The web server as a program.
#include "program.hpp"

#include <array>
#include <chrono>
#include <coracle/coracle.hpp>
#include <doctest/doctest.h>
#include <system_error>

using namespace coracle;
using namespace std::chrono_literals;
using namespace std::string_view_literals;
using coracle::test::blocking_connection;
using coracle::test::describe;
using coracle::test::program;

namespace {

class web_server : public program {
public:
    explicit web_server(const std::string& limit_s = "30")
        : program(CORACLE_HTTP_HELLO, {"0", limit_s}) {
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

/// Whether the response is 400, and the end of its connection.
bool rejects(std::uint16_t port, std::string_view request) {
    blocking_connection client(port);
    client.send(request);
    return client.line() == "HTTP/1.1 400 Bad Request\r" &&
           client.rest().ends_with("\r\nConnection: close\r\n\r\n");
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
    CHECK(last_answer(web.port(),
                      "GET / HTTP/1.1\r\nHost: a\r\nconnection:  x , CLOSE\r\n\r\nGET / x") ==
          answer);
    CHECK(last_answer(web.port(), "GET / HTTP/1.0\r\n\r\n") == answer);
    CHECK(last_answer(web.port(), "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc") ==
          answer);
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
        last_answer(web.port(), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    CHECK(refused.starts_with("HTTP/1.1 405 "));
    CHECK(refused.find("\r\nAllow: GET\r\n") != std::string::npos);
    for (const std::string_view bad : {"\r\n\r\n", "garbage\r\n\r\n", "GET /\r\n\r\n",
                                       "GET / HTTP/2\r\n\r\n", "GET / and more HTTP/1.1\r\n\r\n"}) {
        CAPTURE(bad);
        CHECK(status(bad) == "HTTP/1.1 400");
    }
    CHECK(status(std::string(8192, 'x')) == "HTTP/1.1 431");
    CHECK(status("GET / HTTP/1.1\r\nCookie: " + std::string(100'000, 'x')) == "HTTP/1.1 431");
}

TEST_CASE("http_hello: bytes that RFC 9112 does not allow in a head") {
    web_server web;
    const auto check = [&web](std::string head) {
        CAPTURE(head);
        const std::string request = "GET / HTTP/1.1\r\nHost: a\r\n" + head + "\r\n\r\n";
        CHECK(rejects(web.port(), request));
    };
    const std::string_view lines[] = {
        "no colon",   ": no name",    "blank in: it", "before : colon",
        " folded: x", "X: a\r\n\tb",  "X: a\rb",      "X\rY: a",
        "X: a\nb",    "X: a\nY: b",   "X\nY: a",      "X: a\n\nGET / HTTP/1.1",
        "X: a\vb",    "X\v: a",       "X: \x7f",      "X: \x1b",
        "X(: a",      "X\xc3\xa4: a", "\rX: a",       "X: a\r"};
    for (const std::string_view bad : lines)
        check(std::string(bad));
    check(std::string("X: a\0b", 6));
    check(std::string("X\0: a", 5));
    for (const char* const target : {"/\t", "/\x01", "/\xc3\xa4", "/\nX: a", "/\rb"}) {
        const std::string request = std::string("GET ") + target + " HTTP/1.1\r\nHost: a\r\n\r\n";
        CHECK(rejects(web.port(), request));
    }
    const std::string allowed = "GET /?!~ HTTP/1.1\r\nHost: [::1]:80\r\nx!#$%&'*+-.^_`|~9:\t\xff ~ "
                                "\t\r\nX:\r\nConnection: close\r\n\r\n";
    CHECK(last_answer(web.port(), allowed).starts_with("HTTP/1.1 200 OK\r\n"));
}

TEST_CASE("http_hello: a request of HTTP/1.1 has one Host") {
    web_server web;
    const auto status = [&web](const std::string& version, const std::string& head) {
        const std::string request =
            "GET / " + version + "\r\n" + head + "Connection: close\r\n\r\n";
        return last_answer(web.port(), request).substr(0, 12);
    };
    CHECK(status("HTTP/1.1", "") == "HTTP/1.1 400");
    CHECK(status("HTTP/1.0", "") == "HTTP/1.1 200");
    CHECK(status("HTTP/1.1", "hOST: a\r\n") == "HTTP/1.1 200");
    CHECK(status("HTTP/1.1", "Host:\r\n") == "HTTP/1.1 200");
    for (const char* const version : {"HTTP/1.0", "HTTP/1.1"}) {
        CHECK(status(version, "Host: a\r\nHost: a\r\n") == "HTTP/1.1 400");
        CHECK(status(version, "Host: a b\r\n") == "HTTP/1.1 400");
        CHECK(status(version, "Host: a/b\r\n") == "HTTP/1.1 400");
    }
}

TEST_CASE("http_hello: a Content-Length that is none, or two") {
    web_server web;
    const std::string request = "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n";
    CHECK(rejects(web.port(), request + "Content-Length: 0\r\n\r\n"));
    for (const std::string_view bad : {"", "x", "+3", "-1", "0x3", "3, 3", "3 3"}) {
        CAPTURE(bad);
        const std::string head = "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: ";
        CHECK(rejects(web.port(), head + std::string(bad) + "\r\n\r\n"));
    }
}

TEST_CASE("http_hello: a request that comes byte by byte has one time limit") {
    web_server web("1");
    const auto trickle = [](std::uint16_t port) -> task<bool> {
        tcp_stream peer = co_await tcp_stream::connect(address::loopback_v4(port));
        co_await peer.write("GET / HTTP/1.1\r\nX: "sv);
        std::array<std::byte, 1> byte;
        for (int sent = 0; sent < 300; ++sent) { // at most half a minute
            const result<std::size_t> answer =
                co_await as_result(with_timeout(100ms, peer.read(byte)));
            if (answer.error() != std::errc::timed_out)
                co_return true; // the connection has ended
            const result<void> written = co_await as_result(peer.write("x"sv));
            if (!written)
                co_return true;
        }
        co_return false;
    };
    CHECK(run(trickle(web.port())));
}

TEST_CASE("http_hello: a client that does not read has one time limit") {
    web_server web("1");
    const auto flood = [](std::uint16_t port) -> task<std::error_code> {
        tcp_stream peer = co_await tcp_stream::connect(address::loopback_v4(port));
        const auto ask = [](tcp_stream& to) -> task<> {
            std::string many;
            for (int i = 0; i < 1000; ++i)
                many += "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
            for (;;)
                co_await to.write(many);
        };
        const result<void> asked = co_await as_result(with_timeout(30s, ask(peer)));
        co_return asked.error();
    };
    const std::error_code ended = run(flood(web.port()));
    CHECK(ended);
    CHECK(ended != std::errc::timed_out);
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
                                  describe(std::errc::address_in_use) + "\n");
    program bad(CORACLE_HTTP_HELLO, {"none"});
    CHECK(bad.exit_code() == 1);
    CHECK(bad.complaint.starts_with("http_hello: bad address '127.0.0.1:none'"));
    program no_limit(CORACLE_HTTP_HELLO, {"0", "0"});
    CHECK(no_limit.exit_code() == 1);
    CHECK(no_limit.complaint == "http_hello: bad number of seconds '0'\n");
}
