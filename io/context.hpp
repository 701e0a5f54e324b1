// SPDX-License-Identifier: MIT
//
// context: where loop, backend and pools meet. `run` makes one, runs a task in it and ends it.
#pragma once

#include "../runtime/diagnostics/leaks.hpp"
#include "../runtime/loop.hpp"
#include "../runtime/task.hpp"
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace coracle {

struct backend;

/// What may be chosen about a context; every default is good for a server.
struct context_options {
    /// The backend by name ("io_uring", "epoll"), or empty for the best one that works here. A
    /// backend that is asked for by name is not replaced by another: where it does not work, that
    /// is an error. The environment variable CORACLE_BACKEND, if it is not empty, goes before this.
    std::string backend;

    /// io_uring: how many requests the submission queue holds; 0 for a size that suits the user's
    /// limits. Any number of operations may be under way whatever the size.
    unsigned ring_entries = 0;

    /// Whether the end of the context names what is still held: see `context::leaks`. Not
    /// wanted where a socket that a job has made is meant to outlive the context.
    bool report_leaks = true;
};

/// A loop with a backend, on the thread that makes it. One at a time on a thread.
class context {
public:
    /// errors   std::invalid_argument for a name that no backend has; std::runtime_error, which
    ///          says why, if the one asked for, or every one, does not work here
    explicit context(const context_options& options = {});
    ~context();
    context(const context&) = delete;
    context& operator=(const context&) = delete;

    /// Runs `main` and everything that it starts to the end, and returns or throws its result.
    template <class T>
    T run(task<T> main) {
        const end_of_run orderly(*this);
        return loop_.run(std::move(main));
    }

    template <awaitable Main>
    await_result_t<Main> run(Main main) {
        return run(detail::as_task(std::move(main)));
    }

    /// The context of this thread; it is an error, which stops the program, to ask where none is.
    [[nodiscard]] static context& current();

    [[nodiscard]] std::string_view backend_name() const noexcept;

    /// Why this backend: one line, as "it works here" or "io_uring does not work here: ...".
    [[nodiscard]] const std::string& backend_reason() const noexcept { return reason_; }

    /// A way to reach this context's loop from other threads.
    [[nodiscard]] loop_handle handle() { return loop_.handle(); }

    /// Operations that a kernel has and has not finished.
    [[nodiscard]] std::size_t operations_in_flight() const noexcept;

    /// Sockets that have been used in this context and are open.
    [[nodiscard]] std::size_t open_sockets() const noexcept;

    /// What jobs have made on this thread and somebody still holds: open sockets of this context,
    /// leases of a buffer_pool, objects of an object_pool. In the middle of a run that is what the
    /// program is at; after the end of the last one, what it has forgotten.
    ///
    /// When the context ends, each becomes a warning that names what it is, where it was made and
    /// by which job, and so does each function that was posted and never run. It is not asked at
    /// the end of every `run`, since another one may follow. What was made outside of any job, such
    /// as a listener that `main` has bound, is its maker's own and never named. Nor is
    /// anything in a build with CORACLE_INSPECT=OFF, which knows no makers.
    [[nodiscard]] std::vector<leak> leaks() const;

private:
    /// What is being closed when the last job has ended is closed before `run` returns.
    class end_of_run {
    public:
        explicit end_of_run(context& ended) noexcept : ended_(ended) {}

        ~end_of_run() { ended_.finish_closing(); }

        end_of_run(const end_of_run&) = delete;
        end_of_run& operator=(const end_of_run&) = delete;

    private:
        context& ended_;
    };

    void finish_closing() noexcept;
    void report_leaks() noexcept;

    bool reports_;
    std::string reason_;
    std::unique_ptr<backend> backend_;
    loop loop_;
};

/// Runs `main` in a context of its own, and everything that it starts, to the end; returns or
/// throws its result. This is what a program's `main` calls.
template <class T>
T run(task<T> main, const context_options& options = {}) {
    context here(options);
    return here.run(std::move(main));
}

template <awaitable Main>
await_result_t<Main> run(Main main, const context_options& options = {}) {
    return run(detail::as_task(std::move(main)), options);
}

/// Whether a backend works here and now, and if not, why.
struct backend_status {
    bool works;
    std::string reason;
};

/// Tries a backend out, with a real round trip through the kernel.
///
/// errors   std::invalid_argument for a name that no backend has
[[nodiscard]] backend_status probe_backend(std::string_view name);

/// The names of all backends that are built in, the best first.
[[nodiscard]] std::span<const std::string_view> backend_names();

} // namespace coracle
