#pragma once

namespace w2w {

/// For programs, at their start: freed memory stays with the process instead of going back to the system.
/// Activations of a few megabytes come and go thousands of times a picture, and every return costs fresh page
/// faults: on Stable Diffusion 1.5 at 512x512 a guided step took 9.5 instead of 10.9 seconds on two cores,
/// for a tenth more memory. Does nothing where the C library is not glibc.
void keep_freed_memory();

}  // namespace w2w
