#include "torchscript.h"

#include "guarded.h"

#include <ATen/Context.h>
#include <ATen/autocast_mode.h>

char* ee_prepare_gpu_gradients(int* bfloat16) {
  return eagleeye::guarded([&] {
    auto& context = at::globalContext();
    context.setBenchmarkCuDNN(false);
    context.setDeterministicCuDNN(true);
    // Where an operator has no such algorithm, it is run as it is.
    context.setDeterministicAlgorithms(true, true);
    at::autocast::set_autocast_dtype(at::kCUDA, at::kBFloat16);
    *bfloat16 = at::autocast::get_autocast_dtype(at::kCUDA) == at::kBFloat16;
  });
}
