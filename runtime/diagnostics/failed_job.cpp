// SPDX-License-Identifier: MIT
#include "failed_job.hpp"

#include "../loop.hpp"
#include "../thread_state.hpp"
#include "describe.hpp"
#include "warning.hpp"
#include <fmt/format.h>
#include <string_view>

namespace coracle {

namespace {

/// What is known of `failure`; null if it is not the last one that was thrown here.
const detail::failure_record* record_of(const std::exception_ptr& failure) noexcept {
    loop* const here = detail::this_thread.loop;
    return here && failure && here->last_failure().failure == failure ? &here->last_failure()
                                                                      : nullptr;
}

} // namespace

std::string failed_job(const std::exception_ptr& failure) {
    const detail::failure_record* const known = record_of(failure);
    return known ? to_string(known->site) : std::string();
}

std::string detail::to_string(const failure_site& site) {
    const std::string_view job = site.job ? site.job : "";
    const std::string_view function = site.where.function_name();
    if (function.empty())
        return std::string(job);
    const std::string place = describe(site.where);
    return job.empty() || job == function ? place : fmt::format("{}, in {}", job, place);
}

detail::failure_site detail::site_of(const std::exception_ptr& failure,
                                     const failure_site& otherwise) noexcept {
    const failure_record* const known = record_of(failure);
    return known ? known->site : otherwise;
}

void detail::remember_failure(const std::exception_ptr& failure,
                              const failure_site& site) noexcept {
    this_thread.loop->last_failure() = {failure, site};
}

void detail::warn_of_failure(std::string_view what, const failure_site& site,
                             const std::exception_ptr& failure) noexcept {
    try {
        warn_of_exception(fmt::format("{}, {}", what, to_string(site)), failure);
    } catch (...) {
        warning(what);
    }
}

detail::lost_failures::~lost_failures() {
    if (count_ < 2)
        return;
    try {
        warning(fmt::format("{}: {} more", what_, count_ - 1));
    } catch (...) {
        warning(what_);
    }
}

void detail::lost_failures::add(const std::exception_ptr& lost, const failure_site& site) noexcept {
    if (count_++ == 0)
        warn_of_failure(what_, site, lost);
}

void detail::warn_of_end(const std::exception_ptr& failure) noexcept {
    if (const failure_record* const known = record_of(failure))
        warn_of_failure("run ends because a job failed", known->site, failure);
    this_thread.loop->last_failure() = {};
}

} // namespace coracle
