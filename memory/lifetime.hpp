// SPDX-License-Identifier: MIT
//
// CORACLE_LIFETIMEBOUND: for a parameter that the result refers to. Clang then warns of
// `auto op = stream.write(a + b);`, whose text is gone when `op` is awaited.
#pragma once

#if defined(__has_cpp_attribute) && __has_cpp_attribute(clang::lifetimebound)
#define CORACLE_LIFETIMEBOUND [[clang::lifetimebound]]
#else
#define CORACLE_LIFETIMEBOUND
#endif
