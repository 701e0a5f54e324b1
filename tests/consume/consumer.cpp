// SPDX-License-Identifier: MIT
//
// The consumer that each way of consuming Coracle builds and runs. It links the whole library, and
// holds one line that our own warnings would refuse, so that a leaked -Wconversion is noticed.

#include <coracle/coracle.hpp>

#include <coracle/memory/usage.hpp>

#include <cstdio>

int main(int argument_count, char**) {
    short const narrowed = argument_count;
    void* frame = coracle::allocate_frame(200);
    coracle::deallocate_frame(frame, 200);
    std::puts(to_string(coracle::usage()).c_str());
    return narrowed == 1 ? 0 : 1;
}
