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
