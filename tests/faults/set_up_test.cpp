// SPDX-License-Identifier: MIT
//
// What fails while a context is made: it works all the same, or it is an error that says why.
// Either way nothing is left.

#include "fault_sweep.hpp"

#include <cerrno>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

using namespace coracle;
using namespace coracle::test;

namespace {

struct failing_call {
    const char* call;
    bool works; // all the same
    std::vector<int> errors;
};

const std::vector<failing_call> failing_calls = {
    {"eventfd", false, {EMFILE, ENFILE, ENOMEM}},
    {"epoll_create1", false, {EMFILE, ENFILE, ENOMEM}},
    {"epoll_ctl", false, {ENOMEM, ENOSPC}},
    {"io_uring_setup", false, {EPERM, ENOSYS, EMFILE, ENFILE, EINVAL}},
    {"io_uring_setup", true, {ENOMEM}}, // a smaller ring
    {"io_uring_register", true, {EBUSY, ENOMEM}},
    {"io_uring_enter", true, {EINTR, EAGAIN, EBUSY, ETIME}},
    {"io_uring_enter", false, {EPERM, ENOSYS, EINVAL}},
};

/// What a context said that could not be made; nothing if it was made, and works.
std::string failure_of_set_up(std::string_view call, int nth, int error, bool& struck) {
    std::string words;
    try {
        const counted_warnings unheard;
        std::optional<context> here;
        {
            const fault planned(call, nth, error);
            try {
                here.emplace();
            } catch (const std::runtime_error& refused) {
                words = refused.what();
            }
            struck = planned.struck();
        }
        if (here)
            here->run(check_usable());
    } catch (const std::exception& other) {
        FAIL_CHECK("threw " << other.what());
    }
    return words;
}

} // namespace

TEST_CASE("set-up: whatever fails, a context works or says why not, and nothing is left") {
    int all = 0;
    for (const failing_call& failing : failing_calls) {
        for (const int error : failing.errors) {
            bool struck = true;
            for (int nth = 1; struck; ++nth) {
                CAPTURE(std::string(failing.call));
                CAPTURE(error);
                CAPTURE(nth);
                struck = false;
                const possessions before;
                const std::string words = failure_of_set_up(failing.call, nth, error, struck);
                check_unchanged(before);
                INFO("it said: ", words);
                CHECK(words.empty() == (!struck || failing.works));
                if (struck && !failing.works)
                    CHECK(words.find(std::strerror(error)) != std::string::npos);
                all += struck;
            }
        }
    }
    CHECK(all >= 8);
}

TEST_CASE("set-up: without memory it is bad_alloc, and nothing is left") {
    int nth = 1;
    for (bool struck = true; struck; ++nth) {
        CAPTURE(nth);
        for (const auto how_long : {fault::lasting::once, fault::lasting::always}) {
            const possessions before;
            struck = false;
            bool made = false;
            bool refused = false;
            {
                const fault planned("allocate", nth, ENOMEM, how_long);
                try {
                    const context here;
                    made = true;
                } catch (const std::bad_alloc&) {
                    refused = true;
                } catch (const std::exception&) {
                }
                struck = planned.struck();
            }
            CHECK(made != refused);
            CHECK((refused || !struck));
            check_unchanged(before);
        }
    }
    CHECK(nth > 3);
}
