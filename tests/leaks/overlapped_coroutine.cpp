// SPDX-License-Identifier: MIT
//
// A read is cancelled at some moment after its start, and the frame with its buffer goes. The next
// frame gets the same memory and fills it; then the peer answers. Whatever the kernel still wrote
// for the read that was given up, the new owner would see.
//
// usage: overlapped_coroutine READS
#include "figures.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <coracle/coracle.hpp>
#include <cstdlib>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

using namespace coracle;

namespace {

constexpr std::size_t buffer_bytes = 512;
constexpr char canary = 'c';

long long reads_cancelled = 0;
long long same_memory = 0;
long long overwritten_bytes = 0;

task<> iterations(int count) {
    for (int i = 0; i < count; ++i)
        co_await sleep_for(std::chrono::nanoseconds(0));
}

enum class role { reader, new_owner };

/// One function for both roles, so that their frames are alike and the second gets the memory of
/// the first.
task<> hold_buffer(role played, tcp_stream& from, int peer, const void*& place) {
    std::array<char, buffer_bytes> buffer;
    if (played == role::reader) {
        place = buffer.data();
        const auto count = co_await as_result(from.read(buffer));
        reads_cancelled += count.error() == std::errc::operation_canceled;
        co_return;
    }
    same_memory += place == buffer.data();
    buffer.fill(canary);
    std::array<char, buffer_bytes> answer;
    answer.fill('k');
    if (::send(peer, answer.data(), answer.size(), MSG_NOSIGNAL) < 0)
        throw std::system_error(errno, std::generic_category(), "send");
    co_await iterations(3);
    overwritten_bytes += std::count_if(buffer.begin(), buffer.end(),
                                       [](volatile const char& each) { return each != canary; });
}

task<> give_up_reading(tcp_stream& from, int peer, int after_iterations, const void*& place) {
    auto body = [&](task_group& group) -> task<> {
        group.start(hold_buffer(role::reader, from, peer, place));
        co_await iterations(after_iterations);
        group.cancel();
    };
    co_await with_task_group(body);
}

task<> go_on(tcp_stream& from, int peer, const void*& place) {
    auto body = [&](task_group& group) -> task<> {
        group.start(hold_buffer(role::new_owner, from, peer, place));
        co_return;
    };
    co_await with_task_group(body);
}

task<> read_often(long long reads) {
    std::array<char, buffer_bytes> rest;
    for (long long i = 0; i < reads;) {
        std::array<int, 2> ends = {};
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
            throw std::system_error(errno, std::generic_category(), "socketpair");
        tcp_stream stream = tcp_stream::adopt(ends[0]);
        // The first read of a socket waits in the kernel, later ones for a poll of the socket; and
        // each is given up before the kernel has it as well as after.
        const long long socket_number = i / 4;
        for (int again = 0; again < 4 && i < reads; ++again, ++i) {
            const void* place = nullptr;
            const int moment = static_cast<int>((socket_number + again) % 4);
            co_await give_up_reading(stream, ends[1], moment, place);
            co_await go_on(stream, ends[1], place);
            co_await stream.read_exactly(rest); // nothing of it was lost
        }
        ::close(ends[1]);
    }
}

} // namespace

int main(int, char** arguments) {
    run(read_often(std::atoll(arguments[1])));
    test::tell("reads_cancelled", reads_cancelled);
    test::tell("same_memory", same_memory);
    test::tell("overwritten_bytes", overwritten_bytes);
    test::tell("frames_left", static_cast<long long>(usage().live_frames));
}
