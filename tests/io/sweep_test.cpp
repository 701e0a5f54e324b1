// SPDX-License-Identifier: MIT
//
// Cancellation wherever it may come, on a real kernel: everything that waits for one is cancelled
// at its first suspension, at its second, and so on to the end. Each time all operations retire,
// nothing is left over, and the loop goes on.
//
// Whatever a cancelled operation has done by then it may deliver, so a scenario may complete.

#include "await_point_sweep.hpp"
#include "kernel_loop.hpp"

#include <coracle/coracle.hpp>
#include <csignal>
#include <cstddef>
#include <string>
#include <vector>

using namespace coracle;
using namespace coracle::test;
using namespace std::chrono_literals;
using namespace std::string_view_literals;

namespace {

using sweep = await_point_sweep<kernel_loop>;

/// How many suspensions the scenario had, at each of which it was cancelled.
template <class Scenario>
int cancel_everywhere(Scenario scenario) {
    return sweep().may_complete().run(scenario);
}

/// Two ends with small socket buffers. Not of TCP, which makes the sender wait for a time then.
connection narrow_ends() {
    const auto ends = raw_pair();
    connection narrow(tcp_stream::adopt(ends.first), tcp_stream::adopt(ends.second));
    narrow.here.set_send_buffer_size(4096);
    return narrow;
}

/// A short conversation: connect, accept, write, read, gather, scatter, lines and limits of time.
task<> client(address server) {
    tcp_stream peer = co_await with_timeout(1h, tcp_stream::connect(server));
    peer.set_no_delay(true); // or the kernel would hold small writes back, for many iterations
    co_await iterations(1);  // so that the server waits for each of them
    co_await peer.write("hello\nworld\n"sv);
    const std::array parts = {const_buffer("and "sv), const_buffer("more\n"sv)};
    co_await iterations(1);
    co_await with_timeout(1h, peer.write(std::span<const const_buffer>(parts)));
    std::string answer(6, '\0');
    const std::size_t count = co_await peer.read_exactly(answer);
    CHECK(count == 6);
    co_await iterations(1);
    peer.shutdown(shutdown_direction::write);
    const std::array into = {mutable_buffer(answer.data(), 2), mutable_buffer(answer.data(), 4)};
    const std::size_t end =
        co_await with_timeout(1h, peer.read(std::span<const mutable_buffer>(into)));
    CHECK(end == 0);
}

task<> session(tcp_stream peer) {
    peer.set_no_delay(true);
    line_reader lines(peer, 100);
    for (;;) {
        const auto line = co_await with_timeout(1h, lines.next());
        if (!line)
            co_return;
        const std::string answer = line->substr(0, 2) == "he" ? "an" : "sw";
        co_await peer.write(answer);
    }
}

task<> conversations() {
    tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
    for (int i = 0; i < 2; ++i) {
        auto serving = [&]() -> task<> {
            tcp_stream peer = co_await with_timeout(1h, listener.accept());
            co_await session(std::move(peer));
        };
        co_await when_all(client(listener.local_address()), serving());
    }
}

} // namespace

TEST_CASE("sweep: connect and accept, several at once") {
    CHECK(cancel_everywhere([]() -> task<> {
              tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
              const address here = listener.local_address();
              const auto ends = co_await when_all(listener.accept(), tcp_stream::connect(here),
                                                  listener.accept(), tcp_stream::connect(here));
              CHECK(std::get<3>(ends).is_open());
          }) >= 4);
}

TEST_CASE("sweep: a read that waits, and one of an exact size") {
    CHECK(cancel_everywhere([]() -> task<> {
              connection ends = co_await connect_ends();
              auto reading = [&]() -> task<> {
                  std::string text(4, '\0');
                  const std::size_t count = co_await ends.there.read(text);
                  CHECK(count == 2);
                  co_await ends.there.read_exactly(text);
                  CHECK(text == "cdef");
              };
              auto writing = [&]() -> task<> {
                  co_await iterations(1);
                  co_await ends.here.write("ab"sv);
                  co_await iterations(2);
                  co_await ends.here.write("cde"sv);
                  co_await iterations(2);
                  co_await ends.here.write("f"sv);
              };
              co_await when_all(reading(), writing());
          }) >= 8);
}

TEST_CASE("sweep: writes that wait because the send buffer is full, one behind the other") {
    CHECK(cancel_everywhere([]() -> task<> {
              connection ends = narrow_ends();
              const std::string text(50'000, 'x');
              auto reading = [&]() -> task<> {
                  co_await iterations(3);
                  std::string into(3 * text.size(), '\0');
                  const std::size_t count = co_await ends.there.read_exactly(into);
                  CHECK(count == into.size());
              };
              co_await when_all(ends.here.write(text), ends.here.write(text), ends.here.write(text),
                                reading());
          }) >= 6); // fewer where the kernel takes a write as a whole
}

TEST_CASE("sweep: gathering writes and scattering reads") {
    CHECK(cancel_everywhere([]() -> task<> {
              connection ends = narrow_ends();
              const std::string text(30'000, 'x');
              auto writing = [&]() -> task<> {
                  const std::array parts = {const_buffer(text), const_buffer("y"sv),
                                            const_buffer(text)};
                  co_await ends.here.write(std::span<const const_buffer>(parts));
                  ends.here.shutdown(shutdown_direction::write);
              };
              auto reading = [&]() -> task<> {
                  std::string first(5'000, '\0');
                  std::string second(7'000, '\0');
                  const std::array into = {mutable_buffer(first), mutable_buffer(second)};
                  std::size_t all = 0;
                  for (std::size_t count = 1; count > 0; all += count)
                      count = co_await ends.there.read(std::span<const mutable_buffer>(into));
                  CHECK(all == 2 * text.size() + 1);
              };
              co_await when_all(writing(), reading());
          }) >= 2); // more with a smaller send buffer; a completion port takes the whole write
}

TEST_CASE("sweep: lines that come in pieces") {
    CHECK(cancel_everywhere([]() -> task<> {
              connection ends = co_await connect_ends();
              auto writing = [&]() -> task<> {
                  for (const std::string_view piece : {"on"sv, "e\ntw"sv, "o\r\n"sv, "three"sv}) {
                      co_await ends.here.write(piece);
                      co_await iterations(2);
                  }
                  ends.here.shutdown(shutdown_direction::write);
              };
              auto reading = [&]() -> task<> {
                  line_reader lines(ends.there, 100);
                  for (const char* const expected : {"one", "two", "three"}) {
                      const auto line = co_await lines.next();
                      CHECK(line.value_or("nothing") == expected);
                  }
                  const auto end = co_await lines.next();
                  CHECK_FALSE(end.has_value());
              };
              co_await when_all(writing(), reading());
          }) >= 8);
}

TEST_CASE("sweep: sleeping, and events that one job sets for another") {
    CHECK(cancel_everywhere([]() -> task<> {
              event first;
              event second;
              auto waiter = [&]() -> task<> {
                  co_await first.wait();
                  co_await sleep_for(1us);
                  second.set();
              };
              auto setter = [&]() -> task<> {
                  co_await sleep_for(1us);
                  first.set();
                  co_await with_timeout(1h, second.wait());
              };
              co_await when_all(waiter(), setter());
          }) >= 3);
}

TEST_CASE("sweep: a task_group whose jobs serve, and a body that waits for them") {
    CHECK(cancel_everywhere([]() -> task<> {
              tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
              auto body = [&](task_group& group) -> task<> {
                  for (int i = 0; i < 2; ++i) {
                      group.start(client, listener.local_address());
                      group.start(session(co_await listener.accept()));
                  }
                  co_await group.wait_for_others();
              };
              co_await with_task_group(body);
          }) >= 11);
}

TEST_CASE("sweep: when_any of operations, whose losers are cancelled") {
    CHECK(cancel_everywhere([]() -> task<> {
              tcp_listener listener = tcp_listener::bind(address::loopback_v4(0));
              connection ends = co_await connect_ends();
              char byte = 0;
              const mutable_buffer into(&byte, 1);
              const auto idle =
                  co_await when_any(listener.accept(), ends.here.read(into), sleep_for(1us));
              CHECK(idle.index() == 2);
              co_await ends.there.write("x"sv);
              const auto read = co_await when_any(listener.accept(), ends.here.read(into));
              CHECK(read.index() == 1);
              std::vector<task<tcp_stream>> connecting;
              for (int i = 0; i < 3; ++i)
                  connecting.push_back(tcp_stream::connect(listener.local_address()));
              const auto connected = co_await when_any(std::move(connecting));
              CHECK(connected.index() < 3);
          }) >= 8);
}

TEST_CASE("sweep: with_timeout, in time and too late") {
    CHECK(cancel_everywhere([]() -> task<> {
              connection ends = co_await connect_ends();
              char byte = 0;
              const mutable_buffer into(&byte, 1);
              const auto late = co_await as_result(with_timeout(1us, ends.here.read(into)));
              const bool by_deadline = late.error() == std::errc::timed_out;
              const bool by_cancel = late.error() == std::errc::operation_canceled;
              CHECK((by_deadline || by_cancel));
              co_await ends.there.write("x"sv);
              const std::size_t count = co_await with_timeout(1h, ends.here.read(into));
              CHECK(count == 1);
          }) >= 3);
}

TEST_CASE("sweep: shielded clean-up that waits for the kernel runs to its end") {
    int begun = 0;
    int finished = 0;
    CHECK(cancel_everywhere([&]() -> task<> {
              connection ends = co_await connect_ends();
              auto polite = [&]() -> task<> {
                  ++begun;
                  char byte = 0;
                  const auto count = co_await as_result(ends.here.read(mutable_buffer(&byte, 1)));
                  co_await shielded(ends.here.write("goodbye"sv));
                  const std::string echo = co_await shielded(read_text(ends.there, 7));
                  finished += echo == "goodbye";
                  static_cast<void>(count.value());
              };
              auto writing = [&]() -> task<> {
                  co_await iterations(2);
                  co_await ends.there.write("x"sv);
              };
              co_await when_all(polite(), writing());
          }) >= 4);
    CHECK(begun > 3);
    CHECK(finished == begun);
}

TEST_CASE("sweep: signals") {
    CHECK(cancel_everywhere([]() -> task<> {
              signal_set signals({SIGINT, SIGTERM});
              for (const int number : {SIGINT, SIGTERM}) {
                  auto raising = [number]() -> task<> {
                      co_await iterations(1);
                      std::raise(number);
                  };
                  const auto both = co_await when_all(signals.next(), raising());
                  CHECK(std::get<0>(both) == number);
              }
          }) >= 4);
}

TEST_CASE("sweep: two conversations") {
    CHECK(cancel_everywhere(conversations) >= 15);
}

TEST_CASE("sweep: two conversations whose time is over at each suspension") {
    const auto time_is_over = [](kernel_loop& on, job&) { on.port.put_forward(2h); };
    CHECK(sweep(time_is_over, std::errc::timed_out).may_complete().run([] {
        return with_timeout(1h, conversations());
    }) >= 15);
}
