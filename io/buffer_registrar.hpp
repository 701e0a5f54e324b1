// SPDX-License-Identifier: MIT
//
// buffer_registrar: makes memory known to a kernel in advance, as fixed buffers of io_uring or
// regions of Windows' registered I/O. A backend that can do that implements it; a buffer_pool only
// knows that its region has a number for as long as the registration lives.
//
// Invariants. What is registered is taken back by whoever goes first: the registration, or the
// registrar, which leaves the registration empty. Both are of one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace coracle {

class buffer_registration;

class buffer_registrar {
public:
    buffer_registrar(const buffer_registrar&) = delete;
    buffer_registrar& operator=(const buffer_registrar&) = delete;

    /// Whether the operations of this backend gain by it, so that every pool does well to be
    /// registered.
    [[nodiscard]] virtual bool useful() const noexcept = 0;

    /// That of the context on this thread; null without a context, and where the kernel knows
    /// nothing of the kind.
    [[nodiscard]] static buffer_registrar* current() noexcept;

protected:
    buffer_registrar() noexcept = default;
    ~buffer_registrar();

    /// Makes a region known; the number is the registrar's own affair. None if the kernel refuses:
    /// then the registrar has told whoever runs the program why.
    [[nodiscard]] virtual std::optional<std::uint64_t> add(std::span<std::byte> region) = 0;

    /// The end of that. Operations that the kernel has begun may still use the region.
    virtual void remove(std::uint64_t id) noexcept = 0;

    /// Takes everything back. The last thing that a registrar does while it can.
    void remove_all() noexcept;

private:
    friend class buffer_registration;

    buffer_registration* first_ = nullptr;
};

/// That a region is known to a kernel; or not.
class buffer_registration {
public:
    buffer_registration() noexcept = default;

    ~buffer_registration() { reset(); }

    buffer_registration(const buffer_registration&) = delete;
    buffer_registration& operator=(const buffer_registration&) = delete;

    /// Registers `region`, unless the kernel refuses. Only of one that is empty.
    void add(buffer_registrar& with, std::span<std::byte> region);

    void reset() noexcept;

    [[nodiscard]] explicit operator bool() const noexcept { return with_ != nullptr; }

    /// With whom, and under which number; only of one that is not empty.
    [[nodiscard]] buffer_registrar* registrar() const noexcept { return with_; }

    [[nodiscard]] std::uint64_t id() const noexcept { return id_; }

private:
    friend class buffer_registrar;

    buffer_registrar* with_ = nullptr;
    std::uint64_t id_ = 0;
    buffer_registration* next_ = nullptr;
    buffer_registration* previous_ = nullptr;
};

} // namespace coracle
