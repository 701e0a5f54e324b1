// SPDX-License-Identifier: MIT
//
// A web server that says hello, for `curl` and `wrk`, with keep-alive and pipelining:
// `http_hello [PORT [SECONDS]]`. A request has SECONDS (30) to arrive, and its response as long to
// be taken.
//
// It reads heads only, of at most 8 KiB: a request with a body gets its response, and then the
// connection ends. A head is accepted only if every byte of it is one that RFC 9112 allows there.
// What two parsers read in different ways is how a request is smuggled past a proxy. That check is
// two classes of characters; a server that reads bodies too should take a parser such as llhttp.
#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <coracle/coracle.hpp>
#include <cstdio>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

using namespace coracle;

namespace {

constexpr std::size_t max_head_bytes = 8192;
constexpr std::string_view head_end = "\r\n\r\n";
constexpr auto closing_timeout = std::chrono::seconds(2);

struct response {
    std::string_view status = "200 OK";
    bool keep_alive = true;
};

constexpr response bad_request = {"400 Bad Request", false};

bool is_digit(char each) noexcept {
    return each >= '0' && each <= '9';
}

bool is_letter_or_digit(char each) noexcept {
    return (each >= 'a' && each <= 'z') || (each >= 'A' && each <= 'Z') || is_digit(each);
}

bool is_visible(char each) noexcept {
    return each > ' ' && each <= '~';
}

/// tchar of RFC 9110
bool is_token_character(char each) noexcept {
    return is_letter_or_digit(each) ||
           std::string_view("!#$%&'*+-.^_`|~").find(each) != std::string_view::npos;
}

/// field-vchar, SP and HTAB: no CR, LF, NUL or other control character
bool is_value_character(char each) noexcept {
    return is_visible(each) || each == ' ' || each == '\t' ||
           static_cast<unsigned char>(each) > 127;
}

/// uri-host [":" port]
bool is_host_character(char each) noexcept {
    return is_letter_or_digit(each) ||
           std::string_view("-._~!$&'()*+,;=%:[]").find(each) != std::string_view::npos;
}

template <class Class>
bool all_of(std::string_view text, Class is_one) noexcept {
    return std::all_of(text.begin(), text.end(), is_one);
}

bool is_token(std::string_view text) noexcept {
    return !text.empty() && all_of(text, is_token_character);
}

char lower(char each) noexcept {
    return each >= 'A' && each <= 'Z' ? static_cast<char>(each - 'A' + 'a') : each;
}

bool equal_ignoring_case(std::string_view one, std::string_view other) noexcept {
    return std::equal(one.begin(), one.end(), other.begin(), other.end(),
                      [](char a, char b) { return lower(a) == lower(b); });
}

/// Takes what is before `separator` off `text`, and the separator; all of it if there is none.
std::string_view take_until(std::string_view& text, std::string_view separator) noexcept {
    const std::string_view taken = text.substr(0, text.find(separator));
    text.remove_prefix(std::min(taken.size() + separator.size(), text.size()));
    return taken;
}

std::string_view trimmed(std::string_view text) noexcept {
    const std::size_t first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// What the fields of a head say about the response.
struct fields {
    bool keep_alive = true;
    bool has_body = false;
    int hosts = 0;
    int lengths = 0;

    /// False if the line is malformed.
    bool apply(std::string_view line) noexcept;

private:
    void apply_connection(std::string_view options) noexcept;
};

bool fields::apply(std::string_view line) noexcept {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !is_token(line.substr(0, colon)))
        return false;
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = trimmed(line.substr(colon + 1));
    if (!all_of(value, is_value_character))
        return false;
    if (equal_ignoring_case(name, "host"))
        return ++hosts == 1 && all_of(value, is_host_character);
    if (equal_ignoring_case(name, "content-length")) {
        has_body = has_body || value != "0";
        return ++lengths == 1 && !value.empty() && all_of(value, is_digit);
    }
    if (equal_ignoring_case(name, "transfer-encoding"))
        has_body = true;
    else if (equal_ignoring_case(name, "connection"))
        apply_connection(value);
    return true;
}

void fields::apply_connection(std::string_view options) noexcept {
    while (!options.empty()) {
        const std::string_view option = trimmed(take_until(options, ","));
        if (equal_ignoring_case(option, "close"))
            keep_alive = false;
        else if (equal_ignoring_case(option, "keep-alive"))
            keep_alive = true;
    }
}

/// The response to a request with this head, given without the empty line at its end.
response respond_to(std::string_view head) noexcept {
    std::string_view request = take_until(head, "\r\n");
    const std::string_view method = take_until(request, " ");
    const std::string_view target = take_until(request, " ");
    const std::string_view version = request;
    if (!is_token(method) || target.empty() || !all_of(target, is_visible) ||
        (version != "HTTP/1.1" && version != "HTTP/1.0"))
        return bad_request;
    fields read;
    read.keep_alive = version == "HTTP/1.1";
    while (!head.empty()) {
        if (!read.apply(take_until(head, "\r\n")))
            return bad_request;
    }
    if (version == "HTTP/1.1" && read.hosts == 0)
        return bad_request;
    response made;
    made.keep_alive = read.keep_alive && !read.has_body;
    if (method != "GET")
        made.status = "405 Method Not Allowed\r\nAllow: GET";
    return made;
}

void append(std::string& output, const response& made) {
    const bool fine = made.status.starts_with("200");
    output.append("HTTP/1.1 ").append(made.status);
    output.append("\r\nContent-Type: text/plain\r\nContent-Length: ");
    output.append(fine ? "7" : "0");
    output.append(made.keep_alive ? "\r\nConnection: keep-alive" : "\r\nConnection: close");
    output.append(head_end).append(fine ? "hello!\n" : "");
}

/// Takes all complete heads off `input` and appends the responses. False: the connection ends.
bool respond_to_all(std::string_view& input, std::string& output) {
    for (;;) {
        const std::size_t end = input.find(head_end);
        if (end == std::string_view::npos)
            break;
        const response made = respond_to(input.substr(0, end));
        input.remove_prefix(end + head_end.size());
        append(output, made);
        if (!made.keep_alive)
            return false;
    }
    if (input.size() < max_head_bytes)
        return true;
    append(output, {"431 Request Header Fields Too Large", false});
    return false;
}

/// Reads until `buffer` has a whole head, or is full. False at the end of stream.
task<bool> read_head(tcp_stream& peer, std::span<char> buffer, std::size_t& size) {
    while (size < buffer.size() &&
           std::string_view(buffer.data(), size).find(head_end) == std::string_view::npos) {
        const std::size_t count = co_await peer.read(buffer.subspan(size));
        if (count == 0)
            co_return false;
        size += count;
    }
    co_return true;
}

/// Waits for the client to close: closing with unread input resets the connection, and the client
/// may then lose the last response.
task<> discard_input(tcp_stream& peer, std::span<char> buffer) {
    peer.shutdown(shutdown_direction::write);
    std::size_t count = 0;
    do {
        count = co_await peer.read(buffer);
    } while (count > 0);
}

/// The time limit is for a whole request and for whole responses. One for each read and write would
/// let a client keep its connection for ever, a byte at a time.
task<> converse(tcp_stream peer, std::chrono::seconds limit) {
    std::array<char, max_head_bytes> buffer;
    std::size_t size = 0; // of the input that has no response yet
    std::string output;
    for (bool open = true; open;) {
        const result<bool> arrived =
            co_await as_result(with_timeout(limit, read_head(peer, buffer, size)));
        if (!arrived || !*arrived)
            co_return;
        std::string_view input(buffer.data(), size);
        open = respond_to_all(input, output);
        size = input.size();
        std::copy(input.begin(), input.end(), buffer.begin());
        const result<void> taken = co_await as_result(with_timeout(limit, peer.write(output)));
        if (!taken)
            co_return;
        output.clear();
    }
    [[maybe_unused]] const result<void> closed =
        co_await as_result(with_timeout(closing_timeout, discard_input(peer, buffer)));
}

task<> serve(tcp_listener listener, std::chrono::seconds limit) {
    co_await with_task_group(on_failure::report, [&](task_group& connections) -> task<> {
        for (;;)
            connections.start(converse(co_await listener.accept(), limit));
    });
}

std::chrono::seconds parse_limit(std::string_view text) {
    int seconds = 0;
    const char* const end = text.data() + text.size();
    const auto [stopped, failure] = std::from_chars(text.data(), end, seconds);
    if (failure != std::errc() || stopped != end || seconds < 1)
        throw std::invalid_argument("bad number of seconds '" + std::string(text) + "'");
    return std::chrono::seconds(seconds);
}

} // namespace

int main(int argc, char** argv) {
    try {
        const std::string port = argc > 1 ? argv[1] : "8080";
        const std::chrono::seconds limit = parse_limit(argc > 2 ? argv[2] : "30");
        tcp_listener listener = tcp_listener::bind(address::parse("127.0.0.1:" + port));
        std::printf("http_hello: listening on http://%s/\n",
                    to_string(listener.local_address()).c_str());
        std::fflush(stdout);
        run(serve(std::move(listener), limit));
    } catch (const std::exception& error) {
        std::fprintf(stderr, "http_hello: %s\n", error.what());
        return 1;
    }
}
