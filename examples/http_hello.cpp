// SPDX-License-Identifier: MIT
//
// A web server that says hello, for `curl` and `wrk`: keep-alive and pipelining. `http_hello
// [PORT]`
//
// Reading HTTP is not Coracle's trade: this reads as much of RFC 9112 as answering GET takes, which
// is the first line of a request and the headers that say whether the connection goes on. A head of
// more than 8 KiB is refused, and so is any body: its request is answered and the connection ends.
#include <algorithm>
#include <array>
#include <chrono>
#include <coracle/coracle.hpp>
#include <cstdio>
#include <string>
#include <string_view>

using namespace coracle;

namespace {

constexpr std::size_t most_head_bytes = 8192;
constexpr auto idle_timeout = std::chrono::seconds(30);
constexpr auto closing_timeout = std::chrono::seconds(2);

struct verdict {
    std::string_view status = "200 OK";
    bool keep_alive = true;
};

char lower(char each) noexcept {
    return each >= 'A' && each <= 'Z' ? static_cast<char>(each - 'A' + 'a') : each;
}

bool same_word(std::string_view one, std::string_view other) noexcept {
    return std::equal(one.begin(), one.end(), other.begin(), other.end(),
                      [](char a, char b) { return lower(a) == lower(b); });
}

/// Takes off `text` what is before `separator`, and that itself; all of it if it is not there.
std::string_view take(std::string_view& text, std::string_view separator) noexcept {
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

/// What one header does to the verdict. False if it is malformed.
bool heed_header(std::string_view line, verdict& so_far) noexcept {
    const std::size_t colon = line.find(':');
    if (colon == 0 || colon == std::string_view::npos)
        return false;
    const std::string_view name = line.substr(0, colon);
    if (name.find_first_of(" \t") != std::string_view::npos)
        return false;
    std::string_view value = trimmed(line.substr(colon + 1));
    if (same_word(name, "connection")) {
        while (!value.empty()) {
            const std::string_view wish = trimmed(take(value, ","));
            if (same_word(wish, "close"))
                so_far.keep_alive = false;
            else if (same_word(wish, "keep-alive"))
                so_far.keep_alive = true;
        }
    } else if (same_word(name, "transfer-encoding") ||
               (same_word(name, "content-length") && value != "0")) {
        so_far.keep_alive = false; // what follows is no request
    }
    return true;
}

/// What becomes of a request with this head, which is all lines before the empty one.
verdict judge(std::string_view head) noexcept {
    constexpr verdict bad = {"400 Bad Request", false};
    std::string_view request = take(head, "\r\n");
    const std::string_view method = take(request, " ");
    const std::string_view target = take(request, " ");
    const std::string_view version = request;
    if (method.empty() || target.empty() || (version != "HTTP/1.1" && version != "HTTP/1.0"))
        return bad;
    verdict judged;
    judged.keep_alive = version == "HTTP/1.1";
    while (!head.empty()) {
        if (!heed_header(take(head, "\r\n"), judged))
            return bad;
    }
    if (method != "GET")
        judged.status = "405 Method Not Allowed\r\nAllow: GET";
    return judged;
}

void append_answer(std::string& answers, const verdict& judged) {
    const bool fine = judged.status.starts_with("200");
    answers.append("HTTP/1.1 ").append(judged.status);
    answers.append("\r\nContent-Type: text/plain\r\nContent-Length: ");
    answers.append(fine ? "7" : "0");
    answers.append(judged.keep_alive ? "\r\nConnection: keep-alive" : "\r\nConnection: close");
    answers.append("\r\n\r\n").append(fine ? "hello!\n" : "");
}

/// Takes all complete requests off `input` and appends their answers. False: no more after these.
bool answer_all(std::string_view& input, std::string& answers) {
    for (;;) {
        const std::size_t end = input.find("\r\n\r\n");
        if (end == std::string_view::npos)
            break;
        const verdict judged = judge(input.substr(0, end));
        input.remove_prefix(end + 4);
        append_answer(answers, judged);
        if (!judged.keep_alive)
            return false;
    }
    if (input.size() < most_head_bytes)
        return true;
    append_answer(answers, {"431 Request Header Fields Too Large", false});
    return false;
}

/// Waits for the client to close. Closing first, with input unread, would reset the connection, and
/// a reset may take the last answer with it.
task<> discard_input(tcp_stream& peer, mutable_buffer buffer) {
    peer.shutdown(shutdown_direction::write);
    std::size_t count = 0;
    do {
        count = co_await peer.read(buffer);
    } while (count > 0);
}

task<> converse(tcp_stream peer) {
    std::array<char, most_head_bytes> buffer;
    std::size_t size = 0;
    std::string answers;
    for (bool open = true; open;) {
        const mutable_buffer free(buffer.data() + size, buffer.size() - size);
        const std::size_t count = co_await with_timeout(idle_timeout, peer.read(free));
        if (count == 0)
            co_return;
        std::string_view input(buffer.data(), size + count);
        open = answer_all(input, answers);
        size = input.size();
        std::copy(input.begin(), input.end(), buffer.begin());
        co_await peer.write(answers);
        answers.clear();
    }
    co_await with_timeout(closing_timeout, discard_input(peer, buffer));
}

task<> serve(tcp_listener listener) {
    co_await with_task_group([&](task_group& connections) -> task<> {
        for (;;) // as a result, since a connection that is reset is no reason to end the others
            connections.start(as_result(converse(co_await listener.accept())));
    });
}

} // namespace

int main(int argc, char** argv) {
    try {
        const std::string port = argc > 1 ? argv[1] : "8080";
        tcp_listener listener = tcp_listener::bind(address::parse("127.0.0.1:" + port));
        std::printf("http_hello: listening on http://%s/\n",
                    to_string(listener.local_address()).c_str());
        std::fflush(stdout);
        run(serve(std::move(listener)));
    } catch (const std::exception& error) {
        std::fprintf(stderr, "http_hello: %s\n", error.what());
        return 1;
    }
}
