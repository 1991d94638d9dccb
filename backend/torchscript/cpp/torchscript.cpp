#include "torchscript.h"

#include "guarded.h"

#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/runtime/operator.h>
#include <torch/csrc/jit/serialization/import.h>

namespace {

using eagleeye::guarded;
using torch::jit::Block;
using torch::jit::IValue;
using torch::jit::Node;

// Deeper values, types or blocks than this are not a network.
constexpr int kMaxDepth = 100;
// A file can name the same submodule along exponentially many paths or state endless lists.
constexpr size_t kMaxDescription = size_t{256} << 20;

// Writes JSON; commas are the writer's business.
class Json {
 public:
  std::string text;

  void open(char bracket) {
    separate();
    text += bracket;
    comma_ = false;
  }
  void close(char bracket) {
    text += bracket;
    comma_ = true;
    if (text.size() > kMaxDescription) throw std::runtime_error("the module's description is too large");
  }
  void key(const char* name) {
    string(name);
    text += ':';
    comma_ = false;
  }
  void number(int64_t value) { raw(std::to_string(value)); }
  void boolean(bool value) { raw(value ? "true" : "false"); }
  void null() { raw("null"); }
  void string(const std::string& value) {
    separate();
    text += '"';
    for (unsigned char c : value) {
      if (c == '"' || c == '\\') {
        text += '\\';
        text += static_cast<char>(c);
      } else if (c < 0x20 || c == 0x7f) {
        static const char* digits = "0123456789abcdef";
        text += "\\u00";
        text += digits[c >> 4];
        text += digits[c & 15];
      } else {
        text += static_cast<char>(c);
      }
    }
    text += '"';
    comma_ = true;
  }

 private:
  bool comma_ = false;
  void separate() {
    if (comma_) text += ',';
  }
  void raw(const std::string& value) {
    separate();
    text += value;
    comma_ = true;
  }
};

void check_storage(const at::Tensor& tensor) {
  if (!tensor.defined() || tensor.layout() != at::kStrided || tensor.is_quantized())
    throw std::runtime_error("a stored tensor is sparse, quantised or undefined; only dense tensors are supported");
  // libtorch does not compare the sizes that a file states with the bytes that it has.
  __int128 last = tensor.storage_offset();
  for (int64_t axis = 0; axis < tensor.dim(); ++axis) {
    if (tensor.size(axis) < 0 || tensor.stride(axis) < 0) throw std::runtime_error("a stored tensor has a negative size");
    if (tensor.size(axis) == 0) return;
    last += static_cast<__int128>(tensor.size(axis) - 1) * tensor.stride(axis);
    if (last >> 62) break;
  }
  const __int128 needed = (last + 1) * static_cast<__int128>(tensor.element_size());
  if (tensor.storage_offset() < 0 || needed > static_cast<__int128>(tensor.storage().nbytes()))
    throw std::runtime_error("a stored tensor is larger than its bytes in the file");
}

// While code is compiled, libtorch computes what depends on constant numbers and texts alone. These operators would let a
// file end the process by a division, keep it busy, or fill the memory. Operators with effects are left alone, so that is
// what they are taken for here; what they compute stays the same.
void compute_nothing_at_load() {
  static std::once_flag once;
  std::call_once(once, [] {
    for (const char* name :
         {"aten::floordiv", "aten::remainder", "aten::__round_to_zero_floordiv", "aten::divmod", "aten::gcd",
          "aten::factorial", "aten::add", "aten::format", "aten::percentFormat", "aten::replace", "aten::center",
          "aten::ljust", "aten::rjust", "aten::zfill", "aten::expandtabs"}) {
      const auto operators = torch::jit::getAllOperatorsFor(c10::Symbol::fromQualString(name));
      for (const auto& op : operators) {
        const auto& schema = op->schema();
        // Of additions only that of texts, which grow.
        if (op->isC10Op() || (schema.name() == "aten::add" && schema.overload_name() != "str")) continue;
        std::ostringstream text;
        text << schema;
        const auto operation = op->getOperation();
        torch::jit::deregisterOperator(c10::FunctionSchema(schema));
        torch::jit::registerOperator(
            torch::jit::Operator(text.str(), operation, c10::AliasAnalysisKind::CONSERVATIVE));
      }
    }
  });
}

}  // namespace

struct ee_module {
  torch::jit::Module module;
  std::vector<at::Tensor> tensors;
  std::string description;
};

namespace {

// Turns a module into JSON: its objects, and the code of every method and function that its `forward` can reach.
class Describer {
 public:
  explicit Describer(ee_module& target) : target_(target) {}

  void describe(const torch::jit::ExtraFilesMap& extra_files) {
    json_.open('{');
    json_.key("metadata");
    json_.open('{');
    for (const auto& file : extra_files) {
      if (file.second.empty()) continue;
      json_.key(file.first.c_str());
      json_.string(file.second);
    }
    json_.close('}');
    const auto root = target_.module._ivalue();
    object_index(root);
    enqueue(root->type()->getMethod("forward"));
    json_.key("functions");
    json_.open('{');
    drain();
    json_.close('}');
    json_.key("objects");
    json_.open('[');
    for (size_t i = 0; i < objects_.size(); ++i) describe_object(objects_[i]);
    json_.close(']');
    json_.close('}');
    target_.description = std::move(json_.text);
  }

 private:
  ee_module& target_;
  Json json_;
  std::vector<c10::intrusive_ptr<c10::ivalue::Object>> objects_;
  std::unordered_map<const void*, size_t> object_ids_;
  std::vector<torch::jit::Function*> queue_;
  std::unordered_set<std::string> seen_;

  size_t object_index(const c10::intrusive_ptr<c10::ivalue::Object>& object) {
    const auto [found, fresh] = object_ids_.emplace(object.get(), objects_.size());
    if (fresh) objects_.push_back(object);
    return found->second;
  }

  void enqueue(torch::jit::Function& function) {
    if (seen_.insert(function.qualname().qualifiedName()).second) queue_.push_back(&function);
  }

  void drain() {
    while (!queue_.empty()) {
      torch::jit::Function* function = queue_.back();
      queue_.pop_back();
      auto* graph_function = torch::jit::tryToGraphFunction(*function);
      if (graph_function == nullptr) continue;
      json_.key(function->qualname().qualifiedName().c_str());
      const auto graph = graph_function->graph();
      json_.open('{');
      json_.key("names");
      json_.open('[');
      for (const auto& argument : function->getSchema().arguments()) json_.string(argument.name());
      json_.close(']');
      json_.key("types");
      json_.open('[');
      for (const auto& argument : function->getSchema().arguments())
        json_.string(c10::typeKindToString(argument.type()->kind()));
      json_.close(']');
      json_.key("defaults");
      json_.open('[');
      for (const auto& argument : function->getSchema().arguments())
        value(argument.default_value() ? *argument.default_value() : IValue(), 0);
      json_.close(']');
      json_.key("body");
      block(*graph->block(), 0);
      json_.close('}');
    }
  }

  void describe_object(c10::intrusive_ptr<c10::ivalue::Object> object) {
    const auto type = object->type();
    json_.open('{');
    json_.key("class");
    json_.string(type->name() ? type->name()->qualifiedName() : "");
    json_.key("module");
    json_.boolean(type->is_module());
    json_.key("attributes");
    json_.open('[');
    for (size_t slot = 0; slot < type->numAttributes(); ++slot) {
      json_.open('[');
      json_.string(type->getAttributeName(slot));
      json_.string(type->is_parameter(slot) ? "parameter" : type->is_buffer(slot) ? "buffer" : "attribute");
      value(object->getSlot(slot), 0);
      json_.close(']');
    }
    json_.close(']');
    json_.close('}');
  }

  void list(const char* kind, c10::ArrayRef<IValue> items, int depth) {
    json_.key(kind);
    json_.open('[');
    for (const IValue& item : items) value(item, depth + 1);
    json_.close(']');
  }

  void value(const IValue& v, int depth) {
    if (depth > kMaxDepth) throw std::runtime_error("a value of the module is nested too deeply");
    if (v.isNone()) {
      json_.string("none");
      return;
    }
    json_.open('{');
    if (v.isBool()) {
      json_.key("bool");
      json_.boolean(v.toBool());
    } else if (v.isInt()) {
      json_.key("int");
      json_.number(v.toInt());
    } else if (v.isDouble()) {
      // As bits, because JSON has neither infinities nor exact decimals.
      const double number = v.toDouble();
      int64_t bits = 0;
      std::memcpy(&bits, &number, sizeof bits);
      json_.key("float");
      json_.number(bits);
    } else if (v.isString()) {
      json_.key("string");
      json_.string(v.toStringRef());
    } else if (v.isDevice()) {
      json_.key("string");
      json_.string(v.toDevice().str());
    } else if (v.isTensor()) {
      tensor(v.toTensor());
    } else if (v.isTuple()) {
      const auto tuple = v.toTuple();
      list("tuple", c10::ArrayRef<IValue>(tuple->elements().vec()), depth);
    } else if (v.isList()) {
      const auto items = v.toListRef();
      list("list", items, depth);
    } else if (v.isGenericDict()) {
      json_.key("dict");
      json_.open('[');
      for (const auto& entry : v.toGenericDict()) {
        json_.open('[');
        value(entry.key(), depth + 1);
        value(entry.value(), depth + 1);
        json_.close(']');
      }
      json_.close(']');
    } else if (v.isObject()) {
      json_.key("object");
      json_.number(static_cast<int64_t>(object_index(v.toObject())));
    } else {
      json_.key("other");
      json_.string(v.tagKind());
    }
    json_.close('}');
  }

  void tensor(const at::Tensor& t) {
    check_storage(t);
    json_.key("tensor");
    json_.open('{');
    json_.key("index");
    json_.number(static_cast<int64_t>(target_.tensors.size()));
    // What makes two names one tensor: the same bytes seen the same way.
    json_.key("identity");
    json_.open('[');
    json_.number(reinterpret_cast<intptr_t>(t.storage().data()));
    json_.number(t.storage_offset());
    for (int64_t stride : t.strides()) json_.number(stride);
    json_.close(']');
    json_.close('}');
    target_.tensors.push_back(t);
  }

  void constant(const Node& node) {
    const auto& type = node.output()->type();
    if (type->kind() == c10::TypeKind::FunctionType) {
      torch::jit::Function* function = type->expectRef<c10::FunctionType>().function();
      enqueue(*function);
      json_.open('{');
      json_.key("function");
      json_.string(function->qualname().qualifiedName());
      json_.close('}');
      return;
    }
    const auto constant = torch::jit::toIValue(node.output());
    if (!constant) throw std::runtime_error("a constant of the code cannot be read");
    value(*constant, 0);
  }

  void ids(const char* key, at::ArrayRef<const torch::jit::Value*> values) {
    json_.key(key);
    json_.open('[');
    for (const auto* v : values) json_.number(static_cast<int64_t>(v->unique()));
    json_.close(']');
  }

  void block(const Block& block, int depth) {
    if (depth > kMaxDepth) throw std::runtime_error("the module's code is nested too deeply");
    json_.open('{');
    ids("inputs", block.inputs());
    json_.key("nodes");
    json_.open('[');
    for (const Node* node : block.nodes()) this->node(*node, depth);
    json_.close(']');
    ids("outputs", block.outputs());
    json_.close('}');
  }

  void node(const Node& node, int depth) {
    const auto kind = node.kind();
    json_.open('{');
    json_.key("kind");
    json_.string(kind.toQualString());
    ids("inputs", node.inputs());
    ids("outputs", node.outputs());
    if (kind == c10::prim::Constant) {
      json_.key("value");
      constant(node);
    } else if (kind == c10::prim::GetAttr || kind == c10::prim::SetAttr) {
      json_.key("name");
      json_.string(node.s(c10::attr::name));
    } else if (kind == c10::prim::CallMethod) {
      call_method(node);
    } else if (kind.is_aten()) {
      signature(node);
    }
    if (!node.blocks().empty()) {
      json_.key("blocks");
      json_.open('[');
      for (const Block* inner : node.blocks()) block(*inner, depth + 1);
      json_.close(']');
    }
    json_.close('}');
  }

  void call_method(const Node& node) {
    const std::string& name = node.s(c10::attr::name);
    json_.key("name");
    json_.string(name);
    const auto type = node.input(0)->type();
    if (const auto cls = type->cast<c10::ClassType>()) {
      if (auto* method = cls->findMethod(name)) enqueue(*method);
    } else {
      // An interface: any class of the module may stand behind it.
      for (const auto& object : all_objects())
        if (auto* method = object->type()->findMethod(name)) enqueue(*method);
    }
  }

  const std::vector<c10::intrusive_ptr<c10::ivalue::Object>>& all_objects() {
    for (size_t i = 0; i < objects_.size(); ++i) {
      const auto object = objects_[i];
      for (const IValue& slot : object->slots())
        if (slot.isObject()) object_index(slot.toObject());
    }
    return objects_;
  }

  void signature(const Node& node) {
    const auto* schema = node.maybeSchema();
    if (schema == nullptr) return;
    json_.key("overload");
    json_.string(schema->overload_name());
    json_.key("arguments");
    json_.open('[');
    for (const auto& argument : schema->arguments()) json_.string(argument.name());
    json_.close(']');
  }
};

}  // namespace

void ee_free_message(char* message) { free(message); }

char* ee_module_load(const char* path, const char* const* extra_names, size_t extra_count, ee_module** module) {
  return guarded([&] {
    torch::jit::ExtraFilesMap extra_files;
    for (size_t i = 0; i < extra_count; ++i) extra_files[extra_names[i]] = "";
    compute_nothing_at_load();
    auto loaded = std::make_unique<ee_module>();
    loaded->module = torch::jit::load(path, at::Device(at::kCPU), extra_files);
    Describer(*loaded).describe(extra_files);
    *module = loaded.release();
  });
}

const char* ee_module_description(const ee_module* module, size_t* length) {
  *length = module->description.size();
  return module->description.data();
}

size_t ee_module_tensor_count(const ee_module* module) { return module->tensors.size(); }

char* ee_module_tensor(const ee_module* module, size_t index, void** tensor) {
  return guarded([&] { *tensor = new at::Tensor(module->tensors.at(index).detach()); });
}

void ee_module_free(ee_module* module) { delete module; }

struct ee_builder {
  std::shared_ptr<torch::jit::CompilationUnit> unit = std::make_shared<torch::jit::CompilationUnit>();
  torch::jit::Module root{c10::QualifiedName("__torch__.eagleeye.Network"), unit};
  std::unordered_map<std::string, torch::jit::Module> children;
};

namespace {

// The submodule at a dotted path, made with its parents where it is not there yet.
torch::jit::Module submodule(ee_builder& builder, const std::string& path) {
  if (path.empty()) return builder.root;
  const auto found = builder.children.find(path);
  if (found != builder.children.end()) return found->second;
  const auto name = "__torch__.eagleeye.Module" + std::to_string(builder.children.size());
  torch::jit::Module child{c10::QualifiedName(name), builder.unit};
  builder.children.emplace(path, child);
  const auto dot = path.rfind('.');
  auto parent = submodule(builder, dot == std::string::npos ? "" : path.substr(0, dot));
  parent.register_module(dot == std::string::npos ? path : path.substr(dot + 1), child);
  return child;
}

}  // namespace

char* ee_builder_new(ee_builder** builder) {
  return guarded([&] {
    auto made = std::make_unique<ee_builder>();
    // `eval()` and `train()` set this attribute, and PyTorch's loader expects it.
    made->root.register_attribute("training", c10::BoolType::get(), false);
    *builder = made.release();
  });
}

char* ee_builder_tensor(ee_builder* builder, const char* path, int kind, const void* tensor) {
  return guarded([&] {
    const std::string dotted(path);
    const auto dot = dotted.rfind('.');
    auto owner = submodule(*builder, dot == std::string::npos ? "" : dotted.substr(0, dot));
    const auto name = dot == std::string::npos ? dotted : dotted.substr(dot + 1);
    const at::Tensor value = *static_cast<const at::Tensor*>(tensor);
    switch (kind) {
      case 0:
        return owner.register_parameter(name, value, /*is_buffer=*/false);
      case 1:
        return owner.register_buffer(name, value);
      default:
        return owner.register_attribute(name, c10::TensorType::get(), value);
    }
  });
}

char* ee_builder_define(ee_builder* builder, const char* source) {
  return guarded([&] { builder->root.define(source); });
}

char* ee_builder_save(ee_builder* builder, const char* path, const char* const* names, const char* const* values,
                      const size_t* lengths, size_t count) {
  return guarded([&] {
    torch::jit::ExtraFilesMap extra_files;
    for (size_t i = 0; i < count; ++i) extra_files[names[i]] = std::string(values[i], lengths[i]);
    builder->root.save(std::string(path), extra_files);
  });
}

void ee_builder_free(ee_builder* builder) { delete builder; }
