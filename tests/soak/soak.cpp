// SPDX-License-Identifier: MIT
//
// Runs a server as a child process under hostile clients, and checks that it leaks nothing.
// `./dev soak` does that for the chat server, and draws the samples.
//
// Exit codes: 0 if all is well, 1 if not, 2 for a bad argument, 77 if the backend that
// CORACLE_BACKEND names does not work here.
#include "load.hpp"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace {

constexpr int skipped = 77;

constexpr std::string_view help_text = R"(usage: soak [OPTION]... -- COMMAND...
Runs COMMAND, a server that prints "listening on ADDRESS", under hostile clients.

  --seconds N      for how long (default 10)
  --clients N     how many at the same time (default 80)
  --seed N         chooses the behaviours (default 1)
  --samples FILE   for chat --watch: writes its reports to FILE, and checks them
)";

struct bad_argument : std::invalid_argument {
    using std::invalid_argument::invalid_argument;
};

unsigned parse_number(std::string_view name, std::string_view value) {
    constexpr unsigned max = 10'000'000;
    unsigned number = 0;
    const char* const end = value.data() + value.size();
    const auto [stopped, failure] = std::from_chars(value.data(), end, number);
    if (failure != std::errc() || stopped != end || number < 1 || number > max) {
        throw bad_argument(std::string(name) + " needs a number from 1 to " + std::to_string(max) +
                           ", not '" + std::string(value) + "'");
    }
    return number;
}

void set_option(soak::plan& chosen, std::string_view name, std::string_view value) {
    if (name == "--seconds")
        chosen.length = std::chrono::seconds(parse_number(name, value));
    else if (name == "--clients")
        chosen.clients = parse_number(name, value);
    else if (name == "--seed")
        chosen.seed = parse_number(name, value);
    else if (name == "--samples")
        chosen.samples_file = value;
    else
        throw bad_argument("there is no option '" + std::string(name) + "'");
}

soak::plan parse(std::span<const char* const> arguments) {
    soak::plan chosen;
    std::size_t i = 0;
    for (; i < arguments.size() && arguments[i] != std::string_view("--"); i += 2) {
        if (i + 1 == arguments.size())
            throw bad_argument(std::string(arguments[i]) + " needs a value");
        set_option(chosen, arguments[i], arguments[i + 1]);
    }
    for (++i; i < arguments.size(); ++i)
        chosen.command.emplace_back(arguments[i]);
    if (chosen.command.empty())
        throw bad_argument("which server? soak [OPTION]... -- COMMAND...");
    return chosen;
}

void write_samples(const std::string& name, const std::vector<soak::sample>& samples) {
    std::FILE* const file = std::fopen(name.c_str(), "w");
    if (!file)
        throw std::runtime_error("cannot write to " + name);
    std::fprintf(file, "%s\n", soak::csv_header().c_str());
    for (const soak::sample& each : samples)
        std::fprintf(file, "%s\n", soak::csv_row(each).c_str());
    std::fclose(file);
}

void print_counts(const soak::client_counts& seen) {
    std::printf("soak: %zu connections (", seen.all_connections());
    for (std::size_t i = 0; i < seen.connections.size(); ++i) {
        std::printf("%s%s %zu", i == 0 ? "" : ", ", std::string(soak::behaviour_names[i]).c_str(),
                    seen.connections[i]);
    }
    std::printf(")\n");
}

/// Both programs take the backend that CORACLE_BACKEND names.
bool can_run() {
    const char* const name = std::getenv("CORACLE_BACKEND");
    if (!name || *name == 0)
        return true;
    const coracle::backend_status status = coracle::probe_backend(name);
    if (!status.works)
        std::printf("skipped, because %s does not work here: %s\n", name, status.reason.c_str());
    return status.works;
}

int run(const soak::plan& chosen) {
    // Both directions of a connection may fail, which is expected here.
    coracle::set_warning_handler([](std::string_view) noexcept {});
    soak::load all(chosen);
    coracle::run(all.run());
    print_counts(all.counts());
    if (!chosen.samples_file.empty())
        write_samples(chosen.samples_file, all.samples());
    for (const std::string& each : all.failures())
        std::fprintf(stderr, "soak: %s\n", each.c_str());
    std::printf("soak: %s\n", all.failures().empty() ? "nothing is left" : "FAILED");
    return all.failures().empty() ? EXIT_SUCCESS : EXIT_FAILURE;
}

} // namespace

int main(int argument_count, char** arguments) {
    const std::span<const char* const> all(arguments, static_cast<std::size_t>(argument_count));
    if (argument_count == 2 && all[1] == std::string_view("--help"))
        return std::fputs(help_text.data(), stdout) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    try {
        const soak::plan chosen = parse(all.subspan(1));
        return can_run() ? run(chosen) : skipped;
    } catch (const bad_argument& error) {
        std::fprintf(stderr, "soak: %s; see soak --help\n", error.what());
        return 2;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "soak: %s\n", error.what());
        return EXIT_FAILURE;
    }
}
