// SPDX-License-Identifier: MIT
//
// The steps of a random program. Each is short, ends by itself or with its job, and may fail in any
// way that the library documents: what matters is what is left when all have ended.
#include "world.hpp"

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace coracle::fuzz {

namespace {

constexpr int deepest = 4;

/// Thrown on purpose.
struct thrown_by_step : std::runtime_error {
    thrown_by_step() : std::runtime_error("thrown by a step") {}
};

/// An end of a connection, and the value of what it reads.
struct chosen_end {
    chosen_end(tcp_stream& of, std::byte from_peer, std::byte own) noexcept
        : stream(of), read(from_peer), written(own) {}

    tcp_stream& stream;
    std::byte read;
    std::byte written;
};

chosen_end any_end(world& with, random& choose) noexcept {
    link& chosen = with.any_link(choose);
    const std::size_t which = choose.below(2);
    return {chosen.ends[which], chosen.written[1 - which], chosen.written[which]};
}

task<> sleep(world&, random choose, int) {
    co_await sleep_for(choose.time());
}

task<> yield_often(world&, random choose, int) {
    for (std::size_t i = choose.between(1, 5); i > 0; --i)
        co_await yield();
}

task<> read(world& with, random choose, int) {
    const chosen_end end = any_end(with, choose);
    std::vector<std::byte> into(choose.size(10'000));
    const std::size_t count = co_await end.stream.read(into);
    require_value(std::span(into).first(count), end.read);
}

task<> read_exactly(world& with, random choose, int) {
    const chosen_end end = any_end(with, choose);
    std::vector<std::byte> into(choose.size(10'000));
    const std::size_t count = co_await end.stream.read_exactly(into);
    require_value(std::span(into).first(count), end.read);
}

task<> read_vector(world& with, random choose, int) {
    const chosen_end end = any_end(with, choose);
    std::vector<std::byte> into(choose.size(10'000));
    std::vector<mutable_buffer> parts;
    for (std::size_t begin = 0; begin < into.size();) {
        const std::size_t size = std::min(into.size() - begin, choose.size(1000));
        parts.emplace_back(into.data() + begin, size);
        begin += size;
    }
    const std::size_t count = co_await end.stream.read(parts);
    require_value(std::span(into).first(count), end.read);
}

task<> read_lines(world& with, random choose, int) {
    const chosen_end end = any_end(with, choose);
    line_reader lines(end.stream, choose.size(5000));
    for (std::size_t i = choose.between(1, 3); i > 0; --i) {
        const auto line = co_await lines.next();
        if (!line)
            break;
        require_value(std::as_bytes(std::span(*line)), end.read);
    }
}

task<> write(world& with, random choose, int) {
    const chosen_end end = any_end(with, choose);
    const std::vector<std::byte> from(choose.size(300'000), end.written);
    co_await end.stream.write(from);
}

task<> write_vector(world& with, random choose, int) {
    const chosen_end end = any_end(with, choose);
    const std::vector<std::byte> from(choose.size(5000), end.written);
    const std::vector<const_buffer> parts(choose.between(0, 20), const_buffer(from));
    co_await end.stream.write(parts);
}

task<> receive_many(world& with, random choose, int) {
    const chosen_end end = any_end(with, choose);
    multishot_receive incoming = end.stream.receive_many(with.pool);
    std::vector<buffer_lease> kept;
    for (std::size_t i = choose.below(6); i > 0; --i) {
        buffer_lease piece = co_await incoming.next();
        if (!piece)
            break;
        require_value(std::span<const std::byte>(piece.data(), piece.size()), end.read);
        if (choose.one_in(3))
            kept.push_back(std::move(piece));
        else if (choose.one_in(3))
            co_await sleep_for(choose.time());
    }
}

task<> lease(world& with, random choose, int) {
    const buffer_lease held = co_await with.pool.lease();
    std::fill(held.begin(), held.end(), std::byte{0}); // nobody else has it
    co_await sleep_for(choose.time());
    require_value(std::span<const std::byte>(held.data(), held.size()), std::byte{0});
}

task<> accept(world& with, random choose, int) {
    tcp_stream peer = co_await with.listener.accept();
    if (choose.one_in(2))
        peer.set_linger(std::chrono::seconds(0));
    if (choose.one_in(3))
        co_await sleep_for(choose.time());
}

task<> accept_many(world& with, random choose, int) {
    multishot_accept incoming = with.listener.accept_many();
    for (std::size_t i = choose.below(4); i > 0; --i) {
        tcp_stream peer = co_await incoming.next();
        peer.set_linger(std::chrono::seconds(0));
    }
}

task<> connect(world& with, random choose, int) {
    tcp_stream peer = co_await tcp_stream::connect(with.listener.local_address());
    peer.set_linger(std::chrono::seconds(0));
    if (choose.one_in(3))
        co_await sleep_for(choose.time());
}

task<> replace(world& with, random choose, int) {
    link fresh = co_await make_link(choose);
    with.replace(with.any_index(choose), std::move(fresh));
}

task<> close(world& with, random choose, int) {
    any_end(with, choose).stream.close();
    co_return;
}

task<> shut_down(world& with, random choose, int) {
    constexpr std::array directions = {shutdown_direction::read, shutdown_direction::write,
                                       shutdown_direction::both};
    any_end(with, choose).stream.shutdown(directions[choose.below(directions.size())]);
    co_return;
}

task<> release_and_adopt(world& with, random choose, int) {
    tcp_stream& end = any_end(with, choose).stream;
    const native_handle handle = end.release();
    end = tcp_stream::adopt(handle);
    co_return;
}

task<> set_flag(world& with, random choose, int) {
    if (choose.one_in(2))
        with.flag.set();
    else
        with.flag.reset();
    co_return;
}

task<> wait_for_flag(world& with, random, int) {
    co_await with.flag.wait();
}

task<> throw_something(world&, random choose, int) {
    if (choose.one_in(2))
        throw thrown_by_step();
    throw std::system_error(std::make_error_code(std::errc::protocol_error));
    co_return;
}

task<> look(world&, random, int) {
    const inspection all = inspection::of_this_loop();
    require(all.jobs() > 0 && !to_string(all).empty(), "nothing is there to be inspected");
    co_return;
}

task<> group(world& with, random choose, int depth) {
    auto body = [&](task_group& jobs) -> task<> {
        for (std::size_t i = choose.below(5); i > 0; --i) {
            jobs.start(act(with, choose.fork(), depth + 1));
            if (choose.one_in(4))
                co_await yield();
        }
        if (choose.one_in(3))
            jobs.cancel();
        else if (choose.one_in(2))
            co_await jobs.wait_for_others();
        else if (choose.one_in(2))
            co_await act(with, choose.fork(), depth + 1);
    };
    co_await with_task_group(body);
}

task<> all_of_them(world& with, random choose, int depth) {
    co_await when_all(act(with, choose.fork(), depth + 1), act(with, choose.fork(), depth + 1));
}

task<> any_of_them(world& with, random choose, int depth) {
    co_await when_any(act(with, choose.fork(), depth + 1), act(with, choose.fork(), depth + 1));
}

task<> limited(world& with, random choose, int depth) {
    co_await with_timeout(choose.time(), act(with, choose.fork(), depth + 1));
}

/// Limited inside, since nobody outside can end it.
task<> shield(world& with, random choose, int depth) {
    co_await shielded(with_timeout(choose.time(), act(with, choose.fork(), depth + 1)));
}

task<> exchange_text(world& with, random choose, int) {
    co_await exchange(with, choose);
}

task<> use_pool(world&, random choose, int) {
    co_await short_lived_pool(choose);
}

using step_function = task<> (*)(world&, random, int);

constexpr std::array<step_function, 30> steps = {
    sleep,           yield_often, read,      read_exactly,  read_vector,
    read_lines,      write,       write,     write_vector,  receive_many,
    receive_many,    lease,       accept,    accept_many,   connect,
    replace,         close,       shut_down, set_flag,      wait_for_flag,
    throw_something, look,        group,     group,         all_of_them,
    any_of_them,     limited,     shield,    exchange_text, use_pool,
};

task<> step(world& with, random choose, int depth) {
    const step_function chosen = steps[with.any_step(choose)];
    if (chosen == close && choose.one_in(2))
        return release_and_adopt(with, choose, depth);
    return chosen(with, choose, depth);
}

} // namespace

std::size_t step_kinds() noexcept {
    return steps.size();
}

task<> act(world& with, random choose, int depth) {
    const std::size_t count = depth > deepest ? 1 : choose.between(1, 6);
    for (std::size_t i = 0; i < count && with.steps_left-- > 0; ++i) {
        const bool passes_on = choose.one_in(6);
        try {
            if (choose.one_in(4))
                co_await with_timeout(choose.time(), step(with, choose.fork(), depth));
            else
                co_await step(with, choose.fork(), depth);
        } catch (const std::exception&) {
            if (passes_on)
                throw;
        }
    }
}

} // namespace coracle::fuzz
