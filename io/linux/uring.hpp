// SPDX-License-Identifier: MIT
//
// The io_uring backend: see uring.cpp. Private.
#pragma once

#include "../backend.hpp"

namespace coracle::detail {

std::unique_ptr<backend> make_uring(const context_options& options, std::string& reason);

} // namespace coracle::detail
