// Layers as a processor computes them best: a convolution with what follows it in one operation of oneDNN, and a batch norm that
// takes its statistics from the batch.

#include <ATen/Parallel.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/empty_like.h>

#include <cmath>
#include <optional>
#include <stdexcept>
#include <vector>

#include "guarded.h"
#include "norm.h"
#include "torchscript.h"

namespace {

using c10::IValue;
using eagleeye::guarded;
using eagleeye::Rows;

const at::Tensor& tensor(const void* pointer) { return *static_cast<const at::Tensor*>(pointer); }

IValue optional_tensor(const void* pointer) { return pointer ? IValue(tensor(pointer)) : IValue(); }

IValue optional_text(const char* text) { return text ? IValue(std::string(text)) : IValue(); }

IValue numbers(const int64_t* first, size_t count) { return IValue(c10::List<int64_t>(at::IntArrayRef(first, count))); }

IValue scalars(const double* first, size_t count) {
  c10::List<std::optional<at::Scalar>> list;
  for (size_t i = 0; i < count; ++i) list.push_back(at::Scalar(first[i]));
  return IValue(list);
}

void push_geometry(std::vector<IValue>& stack, const ee_convolution* layer) {
  stack.push_back(numbers(layer->padding, layer->axes));
  stack.push_back(numbers(layer->stride, layer->axes));
  stack.push_back(numbers(layer->dilation, layer->axes));
  stack.push_back(layer->groups);
}

bool computes_bfloat16() {
  static const auto kernel = c10::Dispatcher::singleton().findSchemaOrThrow("mkldnn::_is_mkldnn_bf16_supported", "");
  std::vector<IValue> stack;
  kernel.callBoxed(&stack);
  return stack.at(0).toBool();
}

at::Tensor convolved(const void* x, const void* weight, const void* bias, const ee_convolution* layer) {
  static const auto kernel = c10::Dispatcher::singleton().findSchemaOrThrow("mkldnn::_convolution_pointwise", "");
  std::vector<IValue> stack{tensor(x), tensor(weight), optional_tensor(bias)};
  push_geometry(stack, layer);
  stack.push_back(std::string(layer->activation ? layer->activation : "none"));
  stack.push_back(scalars(layer->scalars, layer->scalar_count));
  stack.push_back(optional_text(layer->algorithm));
  kernel.callBoxed(&stack);
  return stack.at(0).toTensor();
}

at::Tensor convolved_and_added(const void* x, const void* weight, const void* bias, const ee_convolution* layer, const void* addend,
                               bool overwrites) {
  static const auto apart = c10::Dispatcher::singleton().findSchemaOrThrow("mkldnn::_convolution_pointwise", "binary");
  static const auto in_place = c10::Dispatcher::singleton().findSchemaOrThrow("mkldnn::_convolution_pointwise_", "binary");
  std::vector<IValue> stack;
  if (overwrites) {
    stack = {tensor(addend), tensor(x), tensor(weight), optional_tensor(bias)};
  } else {
    stack = {tensor(x), tensor(addend), tensor(weight), optional_tensor(bias)};
  }
  push_geometry(stack, layer);
  stack.push_back(std::string("add"));
  stack.push_back(IValue());
  stack.push_back(optional_text(layer->activation));
  stack.push_back(scalars(layer->scalars, layer->scalar_count));
  stack.push_back(optional_text(layer->algorithm));
  (overwrites ? in_place : apart).callBoxed(&stack);
  return stack.at(0).toTensor();
}

// Calls `body` with the number of each chunk and the chunk itself, on all threads.
template <typename Number, typename Body>
void for_each_chunk(const Rows<Number>& all, const Body& body) {
  const size_t rows = eagleeye::rows_of_chunk(all.channels);
  const size_t chunks = (all.rows + rows - 1) / rows;
  at::parallel_for(0, static_cast<int64_t>(chunks), 1, [&](int64_t begin, int64_t end) {
    for (auto chunk = static_cast<size_t>(begin); chunk < static_cast<size_t>(end); ++chunk) {
      const size_t first = chunk * rows;
      body(chunk, first, Rows<Number>{all.values + first * all.channels, std::min(rows, all.rows - first), all.channels});
    }
  });
}

struct Moments {
  std::vector<double> mean;
  // Biased.
  std::vector<double> variance;
};

// Sums are of differences to the first row, which is within some deviations of the mean, so that the squares lose no digits.
template <typename Number>
Moments moments(const Rows<Number>& all) {
  const size_t channels = all.channels;
  const size_t chunks = (all.rows + eagleeye::rows_of_chunk(channels) - 1) / eagleeye::rows_of_chunk(channels);
  std::vector<float> parts(chunks * 2 * channels), shift(channels);
  eagleeye::widen(all.values, channels, shift.data());
  for_each_chunk(all, [&](size_t chunk, size_t, const Rows<Number>& rows) {
    float* sums = parts.data() + chunk * 2 * channels;
    eagleeye::add_up(rows, shift.data(), sums, sums + channels);
  });
  Moments found{std::vector<double>(channels), std::vector<double>(channels)};
  for (size_t chunk = 0; chunk < chunks; ++chunk) {
    const float* sums = parts.data() + chunk * 2 * channels;
    for (size_t c = 0; c < channels; ++c) {
      found.mean[c] += sums[c];
      found.variance[c] += sums[channels + c];
    }
  }
  const auto count = static_cast<double>(all.rows);
  for (size_t c = 0; c < channels; ++c) {
    const double mean = found.mean[c] / count;
    found.variance[c] = std::fmax(found.variance[c] / count - mean * mean, 0.0);
    found.mean[c] = shift[c] + mean;
  }
  return found;
}

// A vector of so many `f32`, or null.
const float* vector(const void* pointer, size_t channels) {
  if (!pointer) return nullptr;
  const auto& found = tensor(pointer);
  if (found.scalar_type() != at::kFloat || !found.is_contiguous() || static_cast<size_t>(found.numel()) != channels) {
    throw std::runtime_error("a batch norm's vectors are plain float32 with a number for each channel");
  }
  return found.const_data_ptr<float>();
}

void follow(float* running, const std::vector<double>& batch, double momentum, double factor) {
  for (size_t c = 0; c < batch.size(); ++c) {
    running[c] = static_cast<float>((1 - momentum) * running[c] + momentum * factor * batch[c]);
  }
}

// `Number` is what the tensors are made of. The addend, which may be undefined, has the shape and the memory format of the input.
template <typename Number>
at::Tensor adapting(const at::Tensor& from, const at::Tensor& addend, bool in_place, const ee_adapting_norm* norm) {
  const auto channels = static_cast<size_t>(from.size(1));
  const Rows<Number> all{static_cast<const Number*>(from.const_data_ptr()), static_cast<size_t>(from.numel()) / channels, channels};
  const float* gamma = vector(norm->weight, channels);
  const float* beta = vector(norm->bias, channels);
  vector(norm->running_mean, channels);
  vector(norm->running_variance, channels);

  const auto batch = moments(all);
  std::vector<float> factors(channels), offsets(channels);
  for (size_t c = 0; c < channels; ++c) {
    const double factor = (gamma ? gamma[c] : 1.0) / std::sqrt(batch.variance[c] + norm->epsilon);
    factors[c] = static_cast<float>(factor);
    offsets[c] = static_cast<float>((beta ? beta[c] : 0.0) - batch.mean[c] * factor);
  }
  const auto count = static_cast<double>(all.rows);
  follow(tensor(norm->running_mean).mutable_data_ptr<float>(), batch.mean, norm->momentum, 1.0);
  follow(tensor(norm->running_variance).mutable_data_ptr<float>(), batch.variance, norm->momentum, count / (count - 1));

  auto to = in_place ? from : at::empty_like(from, from.options(), at::MemoryFormat::ChannelsLast);
  auto* out = static_cast<Number*>(to.mutable_data_ptr());
  const auto* added = addend.defined() ? static_cast<const Number*>(addend.const_data_ptr()) : nullptr;
  const eagleeye::Scale scale{factors.data(), offsets.data(), norm->relu != 0};
  for_each_chunk(all, [&](size_t, size_t first, const Rows<Number>& rows) {
    const size_t offset = first * channels;
    eagleeye::scale(rows, scale, added ? added + offset : nullptr, out + offset);
  });
  return to;
}

at::Tensor adapted(const void* x, const ee_adapting_norm* norm) {
  const auto type = tensor(x).scalar_type();
  const bool is_known = type == at::kFloat || type == at::kBFloat16;
  if (tensor(x).dim() != 4 || !is_known || !tensor(x).is_cpu() || tensor(x).numel() == 0) {
    throw std::runtime_error("a batch norm adapts to float32 or bfloat16 images in a processor's memory");
  }
  const auto from = tensor(x).contiguous(at::MemoryFormat::ChannelsLast);
  at::Tensor addend;
  if (norm->addend) {
    if (tensor(norm->addend).sizes() != from.sizes()) {
      throw std::runtime_error("what is added to a batch norm's output has its shape");
    }
    addend = tensor(norm->addend).to(type).contiguous(at::MemoryFormat::ChannelsLast);
  }
  const bool in_place = norm->overwrites && from.is_same(tensor(x));
  return type == at::kFloat ? adapting<float>(from, addend, in_place, norm) : adapting<eagleeye::Bfloat16>(from, addend, in_place, norm);
}

}  // namespace

char* ee_convolution_fused(const void* x, const void* weight, const void* bias, const ee_convolution* layer, const void* addend,
                           int overwrites, void** result) {
  return guarded([&] {
    auto y = addend ? convolved_and_added(x, weight, bias, layer, addend, overwrites) : convolved(x, weight, bias, layer);
    *result = new at::Tensor(std::move(y));
  });
}

char* ee_computes_bfloat16(int* result) {
  return guarded([&] { *result = computes_bfloat16(); });
}

char* ee_adapting_norm_forward(const void* x, const ee_adapting_norm* norm, void** result) {
  return guarded([&] { *result = new at::Tensor(adapted(x, norm)); });
}
