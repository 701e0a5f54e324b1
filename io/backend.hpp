// SPDX-License-Identifier: MIT
//
// backend: the driver of a loop that also knows a kernel's way of doing operations.
//
// What all backends share is here: whose turn it is in an io_queue, and when a descriptor may be
// closed. A kernel's part is `submit`, `cancel`, `unregister`, `poll` and `wake`; what only some
// kernels can do are its capabilities. None of these resumes anything: when the kernel has finished
// with an operation, the backend advances or fails it and calls `retire`.
#pragma once

#include "../runtime/diagnostics/gauge.hpp"
#include "../runtime/diagnostics/leaks.hpp"
#include "../runtime/driver.hpp"
#include "capabilities.hpp"
#include "descriptor.hpp"
#include "operation.hpp"
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace coracle {

struct context_options;

struct backend : driver {
    virtual ~backend();

    [[nodiscard]] virtual std::string_view name() const noexcept = 0;

    /// Takes an operation that is active in its io_queue. False if it is complete already.
    [[nodiscard]] virtual bool submit(operation& op) noexcept = 0;

    /// Asks for the end of an operation that `submit` has taken. Cannot fail and is never dropped.
    virtual void cancel(operation& op) noexcept = 0;

    /// A descriptor without operations is about to be closed or given away. False if the kernel
    /// still knows of it: then the backend calls `on_unregistered` once it does not.
    [[nodiscard]] virtual bool unregister(detail::descriptor& fd_state) noexcept = 0;

    /// What not every kernel can do.
    [[nodiscard]] const capabilities& optional() const noexcept { return capabilities_; }

    [[nodiscard]] bool idle() const noexcept override { return operations_in_flight() == 0; }

    [[nodiscard]] driver_totals totals() const noexcept override;

    /// The backend of this thread; null outside of a context.
    [[nodiscard]] static backend* current() noexcept;
    static void set_current(backend* now_current) noexcept;

    // For operations and sockets.

    /// Gives an operation its turn, now or later. False if it is complete already.
    [[nodiscard]] bool start(operation& op) noexcept;

    /// Ends the waiting of an operation that has been started.
    void stop(operation& op) noexcept;

    /// One request of an operation is over. Unless it has a next step its job becomes ready, and
    /// the next operation in its io_queue has its turn.
    void retire(operation& op) noexcept;

    /// The socket of a descriptor is gone.
    void close(detail::descriptor& fd_state) noexcept;

    /// Has nothing to do with a descriptor any more, which has no operations.
    void detach(detail::descriptor& fd_state) noexcept;

    /// The same for all: sockets may outlive the loop that used them.
    void detach_all() noexcept;

    /// Waits until the kernel knows of no descriptor that is being closed.
    void finish_closing();

    /// Adds every open socket that was used here, or made here and not used yet.
    void list_sockets(std::vector<leak>& to) const;

    /// How many descriptors have no socket any more and are not closed yet.
    [[nodiscard]] std::size_t closing() const noexcept { return closing_; }

    [[nodiscard]] std::size_t operations_in_flight() const noexcept { return in_flight_.count(); }

    [[nodiscard]] std::size_t descriptors() const noexcept { return descriptors_.count(); }

protected:
    backend() = default;

    /// For `submit`: this kernel cannot do it. Fails the operation with operation_not_supported,
    /// and says once for each kind of operation which backend refused what, and why.
    void refuse(operation& op, std::string_view why) noexcept;

    /// The kernel does not know of this descriptor any more: what `unregister` could not do at
    /// once.
    void on_unregistered(detail::descriptor& fd_state) noexcept;

    /// Asks `unregister` again for all that are being closed and wait for nothing else.
    void retry_closing() noexcept;

    /// Calls `visit(descriptor)` for each that is attached. It may be detached by that.
    template <class Function>
    void for_each_descriptor(Function visit) noexcept {
        detail::descriptor* following = nullptr;
        for (detail::descriptor* each = first_; each; each = following) {
            following = each->next;
            visit(*each);
        }
    }

    capabilities capabilities_;

private:
    void attach(detail::descriptor& fd_state) noexcept;
    void unlink(detail::descriptor& fd_state) noexcept;
    void close_idle(detail::descriptor& fd_state) noexcept;

    detail::descriptor* first_ = nullptr;
    detail::gauge descriptors_{detail::gauge_kind::sockets};
    std::size_t closing_ = 0;
    detail::gauge in_flight_{detail::gauge_kind::operations}; // taken by `submit` and not retired
    std::uint32_t refused_ = 0;                               // a bit for each opcode that was
};

namespace detail {

/// A kind of backend: how it is called, and how one is made. `make` returns null and says why, in
/// words that go after "because", where it does not work here and now.
struct backend_kind {
    std::string_view name;
    std::unique_ptr<backend> (*make)(const context_options& options, std::string& reason);
};

/// All kinds that are built in, the best first.
[[nodiscard]] std::span<const backend_kind> backend_kinds() noexcept;

/// From the first call on, a forked child has no context, whatever its parent has. Each platform
/// defines it.
void disown_context_after_fork() noexcept;

} // namespace detail

} // namespace coracle
