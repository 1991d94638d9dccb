// A C interface to the few parts of libtorch's TorchScript that tch does not offer: reading a module as data, and
// building one from source. Every function that can fail returns a message to be freed with `ee_free_message`, or null.
// No C++ exception leaves it.
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" {

typedef struct ee_module ee_module;
typedef struct ee_builder ee_builder;

void ee_free_message(char* message);

// Reads a file without running any of it. `extra_names` are the extra files to read with it.
char* ee_module_load(const char* path, const char* const* extra_names, size_t extra_count, ee_module** module);
// The module's objects and code as JSON; `torchscript/description.rs` has the schema. Lives as long as the module.
const char* ee_module_description(const ee_module* module, size_t* length);
size_t ee_module_tensor_count(const ee_module* module);
// A new `at::Tensor` that the caller owns, sharing the storage of the module's tensor.
char* ee_module_tensor(const ee_module* module, size_t index, void** tensor);
void ee_module_free(ee_module* module);

char* ee_builder_new(ee_builder** builder);
// `kind`: 0 parameter, 1 buffer, 2 plain attribute. `path` is dotted; submodules are made on the way. `tensor` stays the caller's.
char* ee_builder_tensor(ee_builder* builder, const char* path, int kind, const void* tensor);
// Compiles `source` as methods of the root module.
char* ee_builder_define(ee_builder* builder, const char* source);
char* ee_builder_save(ee_builder* builder, const char* path, const char* const* names, const char* const* values,
                      const size_t* lengths, size_t count);
void ee_builder_free(ee_builder* builder);

// Between on and off, mixed precision on a GPU is in bfloat16, whose range needs no scaled loss, and algorithms there add in
// the same order each time, where there are such algorithms. These are settings of the process; off is how libtorch starts.
char* ee_gpu_gradients(int are_on);
// Between entering and leaving, this thread computes on a GPU in mixed precision.
char* ee_mixed_precision_enter(void);
char* ee_mixed_precision_leave(void);

// A value that crosses to an operator or back. A list is followed by its items, each with what follows it.
enum { EE_NONE, EE_BOOL, EE_INT, EE_FLOAT, EE_TEXT, EE_TENSOR, EE_LIST };
typedef struct ee_value {
  int kind;
  // A bool, a whole number, or the number of a list's items.
  int64_t number;
  double real;
  // Zero-terminated.
  const char* text;
  // An `at::Tensor`.
  void* tensor;
} ee_value;
// `torchscript/ffi/compute.rs` has the same numbers.
static_assert(EE_NONE == 0 && EE_BOOL == 1 && EE_INT == 2 && EE_FLOAT == 3 && EE_TEXT == 4 && EE_TENSOR == 5 && EE_LIST == 6, "");

// What an operator of `aten` is, as far as its schema and libtorch's tags tell. `torchscript/ffi/compute.rs` has the same bits.
enum {
  // It can be computed with `ee_compute`: no argument or result but tensors, numbers, texts and lists of them, nothing written.
  EE_COMPUTES = 1,
  // It draws random numbers.
  EE_RANDOM = 2,
  // Each entry of the result comes from one entry of each operand.
  EE_POINTWISE = 4,
  // The result shares the memory of an argument.
  EE_VIEW = 8,
  // A result is a list.
  EE_LISTS = 16,
  // It takes numbers alone, no tensor.
  EE_NUMBERS = 32,
};
static_assert(EE_COMPUTES == 1 && EE_RANDOM == 2 && EE_POINTWISE == 4 && EE_VIEW == 8 && EE_LISTS == 16 && EE_NUMBERS == 32, "");
// Bits of the above; 0 where there is no such operator.
char* ee_operator_traits(const char* name, const char* overload, int* traits);

typedef struct ee_results ee_results;

// Runs an operator on the CPU and one thread with `arguments` in the order of its schema. Memory that it takes is zeroed before;
// where it would take more than `bytes`, `exceeded` is set and there is no result.
char* ee_compute(const char* name, const char* overload, const ee_value* arguments, size_t length, size_t bytes, int* exceeded,
                 ee_results** results);
// The result, or a list of several. Its tensors are the caller's from here on; all else lives as long as `results`.
const ee_value* ee_results_values(const ee_results* results, size_t* length);
// Memory that was taken, in bytes.
size_t ee_results_taken(const ee_results* results);
void ee_results_free(ee_results* results);

// A convolution and what follows it. Padding, stride and dilation have `axes` numbers each.
typedef struct ee_convolution {
  const int64_t* padding;
  const int64_t* stride;
  const int64_t* dilation;
  size_t axes;
  int64_t groups;
  // As libtorch calls it for oneDNN (`relu`, `hardtanh`); null for none.
  const char* activation;
  const double* scalars;
  size_t scalar_count;
  // Null for none.
  const char* algorithm;
} ee_convolution;
// One operation of oneDNN on a processor. `weight` may have been laid out before (`mkldnn_reorder_conv2d_weight`); `bias` and
// `addend`, which is added before the activation, may be null. The addend may be overwritten if `overwrites`.
char* ee_convolution_fused(const void* x, const void* weight, const void* bias, const ee_convolution* layer, const void* addend,
                           int overwrites, void** result);

// Whether oneDNN computes convolutions of bfloat16 on this processor.
char* ee_computes_bfloat16(int* result);

// A batch norm in training mode, of float32 or bfloat16 images on a processor; its vectors are float32.
typedef struct ee_adapting_norm {
  // Null for none.
  const void* weight;
  const void* bias;
  // Updated in place: `running = (1 - momentum) * running + momentum * batch`, the batch's variance unbiased.
  void* running_mean;
  void* running_variance;
  double momentum;
  double epsilon;
  // Added to the output, before the ReLU; null for none.
  const void* addend;
  // Whether a ReLU follows.
  int relu;
  // Whether the result may take the place of the input.
  int overwrites;
} ee_adapting_norm;
char* ee_adapting_norm_forward(const void* x, const ee_adapting_norm* norm, void** result);
}
