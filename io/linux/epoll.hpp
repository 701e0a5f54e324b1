// SPDX-License-Identifier: MIT
//
// The epoll backend: see epoll.cpp. Private.
#pragma once

#include "../backend.hpp"

namespace coracle::detail {

std::unique_ptr<backend> make_epoll(const context_options& options, std::string& reason);

} // namespace coracle::detail
