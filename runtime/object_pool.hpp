// SPDX-License-Identifier: MIT
//
// object_pool: objects of one type in slots, each owned by a handle and known by an id.
//
//     object_pool<session> sessions(1000);                 // at most so many at a time
//     object_handle<session> mine = sessions.make([&] { return session(peer); });
//     object_id known = mine.id();
//     mine.reset();                                        // or its scope ends
//     sessions.find(known);                                // null, also if the slot is taken again
//
// Invariants. An object stays where it was made until its handle goes, and then it is gone. No two
// objects of a pool ever have the same id. The slots of ended objects are used again, so the
// pool's memory is that of the most objects that were there at a time. The pool outlives its
// handles; one that does not stops the program with a message that names where the objects were
// made. All of it happens on one thread.
#pragma once

#include "../memory/sanitize.hpp"
#include "diagnostics/gauge.hpp"
#include "diagnostics/leaks.hpp"
#include "threads/thread_owner.hpp"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

namespace coracle {

template <class T>
class object_handle;

/// Which object of a pool; by default none. The generation alone tells two objects of a pool apart,
/// and counts up in the order in which they were made.
struct object_id {
    std::uint64_t generation = 0;
    std::uint32_t slot = 0;

    [[nodiscard]] explicit operator bool() const noexcept { return generation != 0; }

    friend bool operator==(const object_id&, const object_id&) = default;
};

namespace detail {

/// The slots of an object_pool without the objects: which hold one, of which generation, in which
/// order. A slot is free; or taken, while its object is being made or destroyed; or holds one.
class object_slots final : leak_source {
public:
    object_slots(std::size_t max, const creation_site& where) noexcept : max_(max), where_(where) {}

    ~object_slots();

    static constexpr std::uint32_t none = ~std::uint32_t{0};

    /// Takes a free slot.
    ///
    /// errors   std::length_error if there are as many objects as may be; std::bad_alloc
    [[nodiscard]] std::uint32_t take();

    /// The object in a taken slot has been made, and has an id from now on.
    void begin(std::uint32_t index, const creation_site& where) noexcept;

    /// The object is about to be destroyed, and cannot be found any more.
    void end(std::uint32_t index) noexcept;

    /// Frees a taken slot, which holds no object.
    void put_back(std::uint32_t index) noexcept;

    [[nodiscard]] bool has(const object_id& id) const noexcept {
        return id && id.slot < slots_.size() && slots_[id.slot].generation == id.generation;
    }

    [[nodiscard]] object_id id_of(std::uint32_t index) const noexcept {
        return {slots_[index].generation, index};
    }

    /// The slots that hold one, in the order in which they were made; `none` at the end.
    [[nodiscard]] std::uint32_t first() const noexcept { return first_; }

    [[nodiscard]] std::uint32_t after(std::uint32_t index) const noexcept {
        return slots_[index].next;
    }

    [[nodiscard]] std::size_t size() const noexcept { return taken_.count(); }

    [[nodiscard]] std::size_t max_size() const noexcept { return max_; }

private:
    struct slot {
        std::uint64_t generation = 0; // 0 while there is no object
        std::uint32_t next = none;    // among those that hold one, or among the free ones
        std::uint32_t previous = none;
        creation_site where; // the object
    };

    [[noreturn]] void name_objects() const;
    void list_leaks(std::vector<leak>& to) const override;

    thread_owner owner_;
    std::size_t max_;
    gauge taken_{gauge_kind::objects};
    std::uint64_t generations_ = 0;
    std::uint32_t first_ = none;
    std::uint32_t last_ = none;
    std::uint32_t first_free_ = none;
    std::vector<slot> slots_;
    creation_site where_;
};

/// Raw memory for `Count` objects of type T.
template <class T, std::size_t Count>
class object_block {
public:
    object_block() : bytes_(::operator new(size_bytes, std::align_val_t{alignof(T)})) {
        annotate_chunk_mapped(bytes_, size_bytes, 0);
    }

    ~object_block() {
        if (!bytes_)
            return;
        annotate_chunk_unmapped(bytes_, size_bytes);
        ::operator delete(bytes_, size_bytes, std::align_val_t{alignof(T)});
    }

    object_block(object_block&& other) noexcept : bytes_(std::exchange(other.bytes_, nullptr)) {}

    object_block& operator=(object_block&&) = delete;

    [[nodiscard]] T* at(std::size_t index) const noexcept {
        return static_cast<T*>(bytes_) + index;
    }

    void taken(T* object) const noexcept { annotate_block_taken(bytes_, object, sizeof(T)); }

    void returned(T* object) const noexcept { annotate_block_returned(bytes_, object, sizeof(T)); }

private:
    static constexpr std::size_t size_bytes = Count * sizeof(T);

    void* bytes_;
};

} // namespace detail

template <class T>
class object_pool {
public:
    class iterator;

    /// A pool for at most `max` objects at a time.
    explicit object_pool(std::size_t max = detail::object_slots::none,
                         creation_site where = {}) noexcept
        : slots_(max, where) {}

    object_pool(const object_pool&) = delete;
    object_pool& operator=(const object_pool&) = delete;

    /// An object, made in its place from what `factory` returns; it need not be movable.
    ///
    /// errors   std::length_error if the pool is full; std::bad_alloc; whatever the making throws
    /// cost     no allocation if there were more objects at a time before
    template <std::invocable Factory>
        requires std::same_as<std::invoke_result_t<Factory>, T>
    [[nodiscard]] object_handle<T> make(Factory&& factory, creation_site where = {});

    /// The object of that id; null if it has ended, whoever is in its slot now.
    [[nodiscard]] T* find(const object_id& id) const noexcept {
        return slots_.has(id) ? place_of(id.slot) : nullptr;
    }

    [[nodiscard]] std::size_t size() const noexcept { return slots_.size(); }

    [[nodiscard]] bool empty() const noexcept { return size() == 0; }

    [[nodiscard]] bool full() const noexcept { return size() >= slots_.max_size(); }

    /// How many objects there may be at a time.
    [[nodiscard]] std::size_t max_size() const noexcept { return slots_.max_size(); }

    /// The objects in the order in which they were made. Objects may be made meanwhile and others
    /// ended, but not the one that the iterator stands on.
    [[nodiscard]] iterator begin() const noexcept { return iterator(*this, slots_.first()); }

    [[nodiscard]] iterator end() const noexcept { return iterator(*this, slots_.none); }

private:
    friend class object_handle<T>;

    static constexpr std::size_t block_size = 64;

    using block = detail::object_block<T, block_size>;

    [[nodiscard]] const block& block_of(std::uint32_t index) const noexcept {
        return blocks_[index / block_size];
    }

    [[nodiscard]] T* place_of(std::uint32_t index) const noexcept {
        return block_of(index).at(index % block_size);
    }

    void end(T* object, std::uint32_t index) noexcept {
        slots_.end(index);
        object->~T();
        give_back(object, index);
    }

    void give_back(T* object, std::uint32_t index) noexcept {
        block_of(index).returned(object);
        slots_.put_back(index);
    }

    std::vector<block> blocks_;
    detail::object_slots slots_; // goes first, and knows whether objects are left
};

/// Goes over the objects of a pool.
template <class T>
class object_pool<T>::iterator {
public:
    using value_type = T;
    using reference = T&;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::forward_iterator_tag;

    iterator() noexcept = default;

    iterator(const object_pool& pool, std::uint32_t index) noexcept : pool_(&pool), index_(index) {}

    [[nodiscard]] T& operator*() const noexcept { return *pool_->place_of(index_); }

    [[nodiscard]] T* operator->() const noexcept { return pool_->place_of(index_); }

    iterator& operator++() noexcept {
        index_ = pool_->slots_.after(index_);
        return *this;
    }

    iterator operator++(int) noexcept {
        iterator before = *this;
        ++*this;
        return before;
    }

    [[nodiscard]] object_id id() const noexcept { return pool_->slots_.id_of(index_); }

    friend bool operator==(const iterator&, const iterator&) = default;

private:
    const object_pool* pool_ = nullptr;
    std::uint32_t index_ = detail::object_slots::none;
};

/// Owns an object of a pool, or none: the object ends with it.
template <class T>
class [[nodiscard]] object_handle {
public:
    object_handle() noexcept = default;

    object_handle(object_handle&& other) noexcept
        : pool_(other.pool_), object_(std::exchange(other.object_, nullptr)), index_(other.index_) {
    }

    object_handle& operator=(object_handle other) noexcept {
        std::swap(pool_, other.pool_);
        std::swap(object_, other.object_);
        std::swap(index_, other.index_);
        return *this;
    }

    ~object_handle() {
        if (object_)
            pool_->end(object_, index_);
    }

    [[nodiscard]] explicit operator bool() const noexcept { return object_ != nullptr; }

    [[nodiscard]] T* get() const noexcept { return object_; }

    [[nodiscard]] T& operator*() const noexcept { return *object_; }

    [[nodiscard]] T* operator->() const noexcept { return object_; }

    /// What finds this object for as long as it is there.
    [[nodiscard]] object_id id() const noexcept {
        return object_ ? pool_->slots_.id_of(index_) : object_id();
    }

    /// Ends the object now.
    void reset() noexcept { *this = object_handle(); }

private:
    friend class object_pool<T>;

    object_handle(object_pool<T>& pool, T* object, std::uint32_t index) noexcept
        : pool_(&pool), object_(object), index_(index) {}

    object_pool<T>* pool_ = nullptr;
    T* object_ = nullptr;
    std::uint32_t index_ = 0;
};

template <class T>
template <std::invocable Factory>
    requires std::same_as<std::invoke_result_t<Factory>, T>
object_handle<T> object_pool<T>::make(Factory&& factory, creation_site where) {
    const std::uint32_t index = slots_.take();
    T* place = nullptr;
    try {
        if (index / block_size == blocks_.size())
            blocks_.emplace_back();
        place = place_of(index);
        block_of(index).taken(place);
        ::new (static_cast<void*>(place)) T(std::forward<Factory>(factory)());
    } catch (...) {
        if (place)
            give_back(place, index);
        else
            slots_.put_back(index);
        throw;
    }
    slots_.begin(index, where);
    return object_handle<T>(*this, place, index);
}

} // namespace coracle
