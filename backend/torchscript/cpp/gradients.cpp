#include "torchscript.h"

#include "guarded.h"

#include <ATen/Context.h>
#include <ATen/autocast_mode.h>

char* ee_gpu_gradients(int are_on) {
  return eagleeye::guarded([&] {
    auto& context = at::globalContext();
    context.setDeterministicCuDNN(are_on);
    // Where an operator has no such algorithm, it is run as it is.
    context.setDeterministicAlgorithms(are_on, true);
    // Nothing reads memory before it is written.
    context.setDeterministicFillUninitializedMemory(!are_on);
    at::autocast::set_autocast_dtype(at::kCUDA, are_on ? at::kBFloat16 : at::kHalf);
  });
}

// torch-sys has this for all devices at once, by functions that newer versions of libtorch print a warning for at each call.
char* ee_mixed_precision_enter(void) {
  return eagleeye::guarded([] {
    at::autocast::set_autocast_enabled(at::kCUDA, true);
    at::autocast::increment_nesting();
  });
}

char* ee_mixed_precision_leave(void) {
  return eagleeye::guarded([] {
    if (at::autocast::decrement_nesting() > 0) return;
    at::autocast::set_autocast_enabled(at::kCUDA, false);
    // Copies of weights in half the width are of use only until the weights change.
    at::autocast::clear_cache();
  });
}
