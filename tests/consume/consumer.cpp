// SPDX-License-Identifier: MIT
//
// The consumer that each way of consuming Coracle builds and runs: four bytes there and back over
// loopback, so that all of the library is linked and used. It holds one line that our own warnings
// would refuse, so that a leaked -Wconversion is noticed.

#include <coracle/coracle.hpp>

#include <array>
#include <cstddef>
#include <cstdio>

using namespace coracle;

namespace {

task<> echo_once(tcp_listener& listener) {
    tcp_stream peer = co_await listener.accept();
    std::array<std::byte, 4> buffer{};
    co_await peer.read_exactly(buffer);
    co_await peer.write(buffer);
}

task<bool> comes_back(tcp_listener& listener) {
    const std::array<std::byte, 4> sent{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}};
    std::array<std::byte, 4> received{};
    auto session = [&](task_group& group) -> task<> {
        group.start(echo_once(listener));
        tcp_stream stream = co_await tcp_stream::connect(listener.local_address());
        co_await stream.write(sent);
        co_await stream.read_exactly(received);
    };
    co_await with_task_group(session);
    co_return sent == received;
}

/// What the library keeps for each thread is one with what the program's inlined code reads: the
/// inline budget, which keeps the first job going, and the name of the job that made a socket.
task<bool> shares_thread_state() {
    bool undisturbed = true;
    bool other_has_run = false;
    auto child = []() -> task<> { co_return; };
    auto first = [&]() -> task<> {
        for (int i = 0; i < 8; ++i) {
            co_await child();
            undisturbed = undisturbed && !other_has_run;
        }
    };
    auto other = [&]() -> task<> {
        other_has_run = true;
        co_return;
    };
    co_await when_all(first(), other());
    const tcp_listener held = tcp_listener::bind(address::loopback_v4(0));
    co_return undisturbed&& context::current().leaks().size() == 1;
}

} // namespace

int main(int argument_count, char**) {
    const short narrowed = argument_count;
    tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
    const bool succeeded = run(comes_back(listener));
    std::puts(succeeded ? "four bytes came back" : "other bytes came back");
    const bool shared = run(shares_thread_state());
    std::puts(shared ? "one state of the thread" : "two states of the thread");
    return succeeded && shared && narrowed == 1 ? 0 : 1;
}
