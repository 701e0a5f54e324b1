// SPDX-License-Identifier: MIT
#include "../stand_ins.hpp"

void coracle::test::install_stand_ins() {} // the emulation of kqueue is linked, not installed
