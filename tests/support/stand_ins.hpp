// SPDX-License-Identifier: MIT
//
// stand_ins: what a test program puts in the place of something that this system does not have.
#pragma once

namespace coracle::test {

/// Installs what the backend that CORACLE_BACKEND names needs, if it is not the system's.
void install_stand_ins();

} // namespace coracle::test
