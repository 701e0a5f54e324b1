// SPDX-License-Identifier: MIT
//
// Whether this program runs under a tool that makes it many times slower, or that has its own
// malloc, so that a test can do less and say why.
#pragma once

namespace coracle::test {

#if defined(__has_feature)
#if __has_feature(undefined_behavior_sanitizer)
#define CORACLE_TEST_CHECKS_TYPES
#endif
#if __has_feature(address_sanitizer)
#define CORACLE_TEST_UNDER "the address sanitizer watches"
#elif __has_feature(thread_sanitizer)
#define CORACLE_TEST_DELAYS_SIGNALS
#define CORACLE_TEST_UNDER "the thread sanitizer watches"
#endif
#endif
#if !defined(CORACLE_TEST_UNDER) && defined(__SANITIZE_ADDRESS__)
#define CORACLE_TEST_UNDER "the address sanitizer watches"
#elif !defined(CORACLE_TEST_UNDER) && defined(__SANITIZE_THREAD__)
#define CORACLE_TEST_DELAYS_SIGNALS
#define CORACLE_TEST_UNDER "the thread sanitizer watches"
#elif !defined(CORACLE_TEST_UNDER) && defined(CORACLE_VALGRIND)
#define CORACLE_TEST_UNDER "this build is for valgrind"
#endif

#ifdef CORACLE_TEST_UNDER
inline constexpr bool instrumented = true;
inline constexpr const char* why_instrumented = CORACLE_TEST_UNDER;
#else
inline constexpr bool instrumented = false;
inline constexpr const char* why_instrumented = "";
#endif

/// Whether -fsanitize=undefined, which looks at types through a pipe, is in this program.
#ifdef CORACLE_TEST_CHECKS_TYPES
inline constexpr bool checks_types = true;
#else
inline constexpr bool checks_types = false;
#endif

/// Whether the thread sanitizer watches. It keeps a signal until the thread calls a function that
/// it intercepts; a ring is entered without one, so a signal just before a wait is not seen.
#ifdef CORACLE_TEST_DELAYS_SIGNALS
inline constexpr bool delays_signals = true;
#else
inline constexpr bool delays_signals = false;
#endif

/// Whether this program is built for valgrind, which keeps descriptors for itself.
#ifdef CORACLE_VALGRIND
inline constexpr bool for_valgrind = true;
#else
inline constexpr bool for_valgrind = false;
#endif

} // namespace coracle::test
