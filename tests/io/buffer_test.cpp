// SPDX-License-Identifier: MIT
//
// Buffers: what each kind of array, literal and range stands for.

#include <array>
#include <coracle/io/buffer.hpp>
#include <cstddef>
#include <doctest/doctest.h>
#include <span>
#include <string>
#include <string_view>
#include <vector>

using namespace coracle;
using namespace std::string_view_literals;

TEST_CASE("const_buffer: arrays of characters are refused, and pointers to them") {
    CHECK_FALSE(std::is_constructible_v<const_buffer, const char(&)[4]>);
    CHECK_FALSE(std::is_constructible_v<const_buffer, char(&)[4]>);
    CHECK_FALSE(std::is_constructible_v<const_buffer, const char8_t(&)[4]>);
    CHECK_FALSE(std::is_constructible_v<const_buffer, const char*>);
    CHECK_FALSE(std::is_constructible_v<const_buffer, char*>);
}

TEST_CASE("const_buffer: text as a view, and an array of characters as a span") {
    CHECK(const_buffer("four"sv).size() == 4);
    CHECK(const_buffer(""sv).size() == 0);
    CHECK(const_buffer("a\0b"sv).size() == 3);
    static constexpr char magic[4] = {'R', 'I', 'F', '\0'};
    CHECK(const_buffer(std::span(magic)).size() == 4);
}

TEST_CASE("buffers: arrays of bytes are taken whole, zeros too") {
    char zeros[8] = {};
    CHECK(mutable_buffer(zeros).size() == 8);
    const std::array<char, 4> characters = {};
    CHECK(const_buffer(characters).size() == 4);
    const unsigned char bytes[] = {1, 0, 2, 0};
    CHECK(const_buffer(bytes).size() == 4);
    const std::byte others[3] = {};
    CHECK(const_buffer(others).size() == 3);
}

TEST_CASE("buffers: ranges of bytes and characters at their present size") {
    std::array<std::byte, 16> array = {};
    std::vector<char> vector(5);
    std::string string = "text";
    CHECK(const_buffer(array).size() == 16);
    CHECK(const_buffer(std::span(array).first(3)).size() == 3);
    CHECK(const_buffer(vector).size() == 5);
    CHECK(const_buffer(string).data() == string.data());
    CHECK(const_buffer(std::string_view("view")).size() == 4);
    CHECK(mutable_buffer(vector).data() == vector.data());
    CHECK(mutable_buffer(std::span(array).last(2)).size() == 2);
    CHECK(const_buffer(mutable_buffer(array)).size() == 16);
}

TEST_CASE("mutable_buffer: refuses what cannot be written to or does not last") {
    CHECK_FALSE(std::is_constructible_v<mutable_buffer, const std::string&>);
    CHECK_FALSE(std::is_constructible_v<mutable_buffer, std::string>);
    CHECK_FALSE(std::is_constructible_v<mutable_buffer, const char(&)[4]>);
    CHECK_FALSE(std::is_constructible_v<mutable_buffer, std::vector<int>&>);
    CHECK_FALSE(std::is_constructible_v<const_buffer, std::vector<int>&>);
}
