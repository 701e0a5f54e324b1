// SPDX-License-Identifier: MIT
//
// What the memory of a coroutine frame costs, beside the C library's malloc: a frame taken and
// given back at once, and 64 taken before they are given back in the same order. The sizes are
// known at compile time, as they are in a promise's operator new.
#include "rounds.hpp"

#include <coracle/memory/frame_allocator.hpp>

#include <array>
#include <cstddef>

namespace {

constexpr std::size_t batch = 64;
constexpr std::size_t batches = 4000;

struct pool {
    static constexpr const char* name = "coracle";

    static void* take(std::size_t bytes) { return coracle::allocate_frame(bytes); }

    static void give(void* frame, std::size_t bytes) { coracle::deallocate_frame(frame, bytes); }
};

struct c_library {
    static constexpr const char* name = "malloc";

    static void* take(std::size_t bytes) { return std::malloc(bytes); }

    static void give(void* frame, std::size_t) { std::free(frame); }
};

template <class Allocator, std::size_t Bytes>
double measure_pairs() {
    const benchmark::stopwatch watch;
    for (std::size_t i = 0; i < batch * batches; ++i) {
        void* frame = Allocator::take(Bytes);
        benchmark::keep(frame);
        Allocator::give(frame, Bytes);
    }
    return watch.nanoseconds_each(batch * batches);
}

template <class Allocator, std::size_t Bytes>
double measure_batches() {
    std::array<void*, batch> frames;
    const benchmark::stopwatch watch;
    for (std::size_t i = 0; i < batches; ++i) {
        for (void*& frame : frames) {
            frame = Allocator::take(Bytes);
            benchmark::keep(frame);
        }
        for (void* frame : frames)
            Allocator::give(frame, Bytes);
    }
    return watch.nanoseconds_each(batch * batches);
}

template <std::size_t Bytes, class Allocator>
void add(benchmark::rounds& contest) {
    const std::string what = std::to_string(Bytes) + " B, ";
    contest.add(what + "one, " + Allocator::name, measure_pairs<Allocator, Bytes>);
    contest.add(what + "batch of 64, " + Allocator::name, measure_batches<Allocator, Bytes>);
}

} // namespace

int main(int count, char** values) {
    benchmark::command_line arguments(count, values);
    const unsigned round_count = arguments.take_number("--rounds", 21);
    arguments.finish();
    benchmark::rounds contest;
    add<64, pool>(contest);
    add<64, c_library>(contest);
    add<192, pool>(contest);
    add<192, c_library>(contest);
    add<1000, pool>(contest);
    add<1000, c_library>(contest);
    contest.run(round_count);
    contest.print("allocate and free a frame");
}
