// SPDX-License-Identifier: MIT
//
// Text to address and back, by inet_pton's rules but without a platform: RFC 4291 for reading, RFC
// 5952 for writing.
#include "address.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <optional>
#include <stdexcept>

namespace coracle {

namespace {

template <class Number>
std::optional<Number> number(std::string_view text, int base = 10) noexcept {
    Number value = 0;
    const char* const end = text.data() + text.size();
    const auto [stopped, failure] = std::from_chars(text.data(), end, value, base);
    if (text.empty() || failure != std::errc() || stopped != end)
        return std::nullopt;
    return value;
}

std::optional<std::array<std::uint8_t, 4>> parse_v4(std::string_view text) noexcept {
    std::array<std::uint8_t, 4> bytes = {};
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const std::size_t dot = i + 1 < bytes.size() ? text.find('.') : text.size();
        if (dot == std::string_view::npos)
            return std::nullopt;
        const std::string_view part = text.substr(0, dot);
        const auto value = number<std::uint8_t>(part);
        if (!value || (part.size() > 1 && part.front() == '0'))
            return std::nullopt; // a leading zero might mean octal: refuse what is ambiguous
        bytes[i] = *value;
        text.remove_prefix(std::min(dot + 1, text.size()));
    }
    return bytes;
}

/// The groups on one side of "::", as bytes; the last may be an IPv4 address. Null if malformed.
struct groups {
    std::array<std::uint8_t, 16> bytes = {};
    std::size_t size = 0;
};

std::optional<groups> parse_groups(std::string_view text) noexcept {
    groups read;
    while (!text.empty()) {
        const std::size_t colon = text.find(':');
        const std::string_view part = text.substr(0, colon);
        if (colon == std::string_view::npos && part.find('.') != std::string_view::npos) {
            const auto v4 = parse_v4(part);
            if (!v4 || read.size > 12)
                return std::nullopt;
            std::copy(v4->begin(), v4->end(), read.bytes.begin() + static_cast<long>(read.size));
            read.size += 4;
            return read;
        }
        const auto value = number<std::uint16_t>(part, 16);
        if (!value || part.size() > 4 || read.size > 14)
            return std::nullopt;
        read.bytes[read.size++] = static_cast<std::uint8_t>(*value >> 8);
        read.bytes[read.size++] = static_cast<std::uint8_t>(*value & 0xff);
        if (colon == std::string_view::npos)
            return read;
        text.remove_prefix(colon + 1);
        if (text.empty())
            return std::nullopt; // a single colon at the end
    }
    return read;
}

std::optional<std::array<std::uint8_t, 16>> parse_v6(std::string_view text) noexcept {
    const std::size_t gap = text.find("::");
    const std::string_view before_gap = text.substr(0, gap);
    const auto head = parse_groups(before_gap);
    if (!head)
        return std::nullopt;
    if (gap == std::string_view::npos)
        return head->size == 16 ? std::optional(head->bytes) : std::nullopt;
    const auto tail = parse_groups(text.substr(gap + 2));
    const bool ends_early = before_gap.find('.') != std::string_view::npos; // an IPv4 part is last
    if (!tail || ends_early || head->size + tail->size > 14)
        return std::nullopt;
    std::array<std::uint8_t, 16> bytes = head->bytes;
    std::copy_n(tail->bytes.begin(), tail->size, bytes.end() - static_cast<long>(tail->size));
    return bytes;
}

[[noreturn]] void refuse(std::string_view text, std::string_view why) {
    throw std::invalid_argument(fmt::format("bad address '{}': {}", text, why));
}

/// Reads a host; `text` is what the caller was given, for the message.
address parse_host(std::string_view host, std::uint16_t port, std::string_view text) {
    if (host.find(':') == std::string_view::npos) {
        const auto v4 = parse_v4(host);
        if (!v4)
            refuse(text, "expected four numbers of 0 to 255, as in 127.0.0.1");
        return {*v4, port};
    }
    const std::size_t percent = host.find('%');
    std::uint32_t scope = 0;
    if (percent != std::string_view::npos) {
        const auto value = number<std::uint32_t>(host.substr(percent + 1));
        if (!value)
            refuse(text, "expected the number of an interface after '%'");
        scope = *value;
    }
    const auto v6 = parse_v6(host.substr(0, percent));
    if (!v6)
        refuse(text, "expected an IPv6 address, as in ::1");
    return {*v6, port, scope};
}

std::string format_v6(const std::array<std::uint8_t, 16>& bytes) {
    constexpr std::array<std::uint8_t, 12> mapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (std::equal(mapped.begin(), mapped.end(), bytes.begin()))
        return fmt::format("::ffff:{}.{}.{}.{}", bytes[12], bytes[13], bytes[14], bytes[15]);
    std::array<unsigned, 8> group = {};
    for (std::size_t i = 0; i < group.size(); ++i)
        group[i] = static_cast<unsigned>(bytes[2 * i]) << 8 | bytes[2 * i + 1];
    std::size_t gap = 0;
    std::size_t gap_size = 1; // a single zero group is not shortened
    for (std::size_t i = 0; i < group.size(); ++i) {
        std::size_t end = i;
        while (end < group.size() && group[end] == 0)
            ++end;
        if (end - i > gap_size) {
            gap = i;
            gap_size = end - i;
        }
    }
    std::string text;
    for (std::size_t i = 0; i < group.size();) {
        if (gap_size > 1 && i == gap) {
            text += "::";
            i += gap_size;
            continue;
        }
        if (!text.empty() && text.back() != ':')
            text += ':';
        text += fmt::format("{:x}", group[i++]);
    }
    return text;
}

} // namespace

address address::parse(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos)
        refuse(text, "expected a port after ':', as in 127.0.0.1:80");
    const auto port = number<std::uint16_t>(text.substr(colon + 1));
    if (!port)
        refuse(text, "expected a port of 0 to 65535 after the last ':'");
    std::string_view host = text.substr(0, colon);
    if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
        host = host.substr(1, host.size() - 2);
        if (host.find(':') == std::string_view::npos)
            refuse(text, "expected an IPv6 address between the brackets");
    } else if (host.find(':') != std::string_view::npos) {
        refuse(text, "an IPv6 address with a port needs brackets, as in [::1]:80");
    }
    return parse_host(host, *port, text);
}

address address::parse(std::string_view host, std::uint16_t port) {
    return parse_host(host, port, host);
}

std::string to_string(const address& value) {
    const auto& bytes = value.bytes();
    if (!value.is_v6())
        return fmt::format("{}.{}.{}.{}:{}", bytes[0], bytes[1], bytes[2], bytes[3], value.port());
    const std::string scope = value.scope() ? fmt::format("%{}", value.scope()) : std::string();
    return fmt::format("[{}{}]:{}", format_v6(bytes), scope, value.port());
}

} // namespace coracle
