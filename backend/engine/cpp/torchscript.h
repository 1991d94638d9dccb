// A C interface to the few parts of libtorch's TorchScript that tch does not offer: reading a module as data, and
// building one from source. Every function that can fail returns a message to be freed with `ee_free_message`, or null.
// No C++ exception leaves it.
#pragma once

#include <cstddef>

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
}
