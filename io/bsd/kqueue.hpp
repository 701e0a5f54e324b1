// SPDX-License-Identifier: MIT
//
// The kqueue backend: see kqueue.cpp. Private.
#pragma once

#include "../backend.hpp"

namespace coracle::detail {

std::unique_ptr<backend> make_kqueue(const context_options& options, std::string& reason);

} // namespace coracle::detail
