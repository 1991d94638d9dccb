// Computes operators of `aten` on tensors and numbers that are known while a network is read.
//
// The arguments come from a file that nobody has vouched for. Which operators are called is decided in Rust by their traits;
// here, memory is counted where it is taken, and what makes the processor stop the process is refused.

#include <ATen/Parallel.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/enum_tag.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/min.h>
#include <ATen/ops/scalar_tensor.h>
#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/runtime/operator.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

#include "guarded.h"
#include "torchscript.h"

namespace {

using c10::IValue;
using c10::TypeKind;
using eagleeye::guarded;

// Thrown where an operator would take more memory than it may.
struct Exceeded : std::runtime_error {
  Exceeded() : std::runtime_error("needs more memory than constants may take") {}
};

// Bytes that the operator which runs on this thread may still take; negative where none runs.
thread_local int64_t bytes_left = -1;

// libtorch's allocator, and a limit on what it gives to an operator that is computed while a file is read. Results of every
// operator and everything between come from it, whatever their size depends on.
class LimitedAllocator final : public c10::Allocator {
 public:
  explicit LimitedAllocator(c10::Allocator* base) : base_(base) {}

  c10::DataPtr allocate(size_t size) override {
    if (bytes_left < 0) return base_->allocate(size);
    if (size > static_cast<size_t>(bytes_left)) throw Exceeded();
    bytes_left -= static_cast<int64_t>(size);
    auto memory = base_->allocate(size);
    // What an operator does not write is the same every time.
    if (size > 0) std::memset(memory.get(), 0, size);
    return memory;
  }
  c10::DeleterFnPtr raw_deleter() const override { return base_->raw_deleter(); }
  bool is_simple_data_ptr(const c10::DataPtr& memory) const override { return base_->is_simple_data_ptr(memory); }
  void copy_data(void* to, const void* from, std::size_t count) const override { base_->copy_data(to, from, count); }

 private:
  c10::Allocator* base_;
};

void limit_allocations() {
  static std::once_flag once;
  // Lives as long as the process, as libtorch asks for.
  std::call_once(once, [] { c10::SetCPUAllocator(new LimitedAllocator(c10::GetCPUAllocator())); });
}

// While it lives, this thread computes alone and with so much memory, so that sums do not depend on the number of threads.
class Limits {
 public:
  explicit Limits(size_t bytes) : threads_(at::get_num_threads()) {
    bytes_left = static_cast<int64_t>(std::min<size_t>(bytes, std::numeric_limits<int64_t>::max()));
    if (threads_ != 1) at::set_num_threads(1);
  }
  ~Limits() {
    bytes_left = -1;
    if (threads_ != 1) at::set_num_threads(threads_);
  }
  Limits(const Limits&) = delete;
  Limits& operator=(const Limits&) = delete;

 private:
  int threads_;
};

bool transferable(const c10::TypePtr& type) {
  switch (type->kind()) {
    case TypeKind::TensorType:
    case TypeKind::IntType:
    case TypeKind::SymIntType:
    case TypeKind::FloatType:
    case TypeKind::NumberType:
    case TypeKind::BoolType:
    case TypeKind::StringType:
    case TypeKind::DeviceObjType:
    case TypeKind::ScalarTypeType:
    case TypeKind::LayoutType:
    case TypeKind::MemoryFormatType:
      return true;
    case TypeKind::OptionalType:
      return transferable(type->expectRef<c10::OptionalType>().getElementType());
    case TypeKind::ListType: {
      const auto element = type->expectRef<c10::ListType>().getElementType();
      return element->kind() != TypeKind::ListType && transferable(element);
    }
    default:
      return false;
  }
}

bool is_list(const c10::TypePtr& type) { return type->kind() == TypeKind::ListType; }

bool holds_tensors(const c10::TypePtr& type) {
  if (const auto list = type->cast<c10::ListType>()) return holds_tensors(list->getElementType());
  if (const auto optional = type->cast<c10::OptionalType>()) return holds_tensors(optional->getElementType());
  return type->kind() == TypeKind::TensorType;
}

int traits_of(const c10::FunctionSchema& schema) {
  int traits = 0;
  bool computes = !schema.is_mutable() && !schema.is_vararg() && !schema.is_varret();
  bool tensors = false;
  for (const auto& argument : schema.arguments()) {
    computes = computes && transferable(argument.type());
    tensors = tensors || holds_tensors(argument.type());
  }
  for (const auto& result : schema.returns()) {
    computes = computes && transferable(result.type());
    tensors = tensors || holds_tensors(result.type());
    if (result.alias_info() != nullptr) traits |= EE_VIEW;
    if (is_list(result.type())) traits |= EE_LISTS;
  }
  if (computes && !schema.returns().empty()) traits |= EE_COMPUTES;
  if (!tensors) traits |= EE_NUMBERS;
  return traits;
}

// Of the operators that only TorchScript has, those from numbers to numbers: others have effects, and make texts of any length.
int traits_of_scripted(const c10::FunctionSchema& schema) {
  const auto number = [](const c10::Argument& argument) {
    const auto kind = argument.type()->kind();
    return kind == TypeKind::IntType || kind == TypeKind::FloatType || kind == TypeKind::NumberType || kind == TypeKind::BoolType;
  };
  const auto& given = schema.arguments();
  const auto& made = schema.returns();
  const bool numbers = std::all_of(given.begin(), given.end(), number) && std::all_of(made.begin(), made.end(), number);
  const int traits = traits_of(schema);
  return numbers && !given.empty() ? traits : traits & ~EE_COMPUTES;
}

std::optional<c10::OperatorHandle> dispatched(const char* name, const char* overload) {
  auto found = c10::Dispatcher::singleton().findSchema({name, overload});
  if (found && !found->hasSchema()) return std::nullopt;
  return found;
}

// Operators on numbers that only TorchScript has.
std::shared_ptr<torch::jit::Operator> scripted(const char* name, const char* overload) {
  for (const auto& op : torch::jit::getAllOperatorsFor(c10::Symbol::fromQualString(name)))
    if (op->schema().overload_name() == overload && !op->isC10Op()) return op;
  return nullptr;
}

// Reads the arguments one after the other, as the schema's types.
class Arguments {
 public:
  Arguments(const ee_value* values, size_t length) : next_(values), end_(values + length) {}

  IValue read(const c10::TypePtr& type) {
    const ee_value& value = take();
    switch (type->kind()) {
      case TypeKind::OptionalType:
        if (value.kind == EE_NONE) return IValue();
        --next_;
        return read(type->expectRef<c10::OptionalType>().getElementType());
      case TypeKind::TensorType:
        return tensor(value);
      case TypeKind::BoolType:
        if (value.kind == EE_BOOL) return IValue(value.number != 0);
        return IValue(whole(value) != 0);
      case TypeKind::FloatType:
        return IValue(value.kind == EE_FLOAT ? value.real : static_cast<double>(whole(value)));
      case TypeKind::NumberType:
        if (value.kind == EE_FLOAT) return IValue(value.real);
        if (value.kind == EE_BOOL) return IValue(value.number != 0);
        return IValue(whole(value));
      case TypeKind::StringType:
        if (value.kind != EE_TEXT) throw std::runtime_error("an argument is not a string");
        return IValue(std::string(value.text));
      // Everything is computed here.
      case TypeKind::DeviceObjType:
        return IValue(c10::Device(c10::kCPU));
      case TypeKind::ListType:
        return list(type->expectRef<c10::ListType>().getElementType(), value);
      default:
        return IValue(whole(value));
    }
  }

  void end() const {
    if (next_ != end_) throw std::runtime_error("there are more arguments than the operator takes");
  }

 private:
  const ee_value* next_;
  const ee_value* end_;

  const ee_value& take() {
    if (next_ == end_) throw std::runtime_error("there are fewer arguments than the operator takes");
    return *next_++;
  }

  static int64_t whole(const ee_value& value) {
    if (value.kind != EE_INT && value.kind != EE_BOOL) throw std::runtime_error("an argument is not an integer");
    // The processor stops a program that divides it by -1.
    if (value.number == std::numeric_limits<int64_t>::min()) throw std::runtime_error("an argument is -2^63, which cannot be divided safely");
    return value.number;
  }

  static IValue tensor(const ee_value& value) {
    switch (value.kind) {
      case EE_TENSOR:
        return IValue(*static_cast<const at::Tensor*>(value.tensor));
      case EE_NONE:
        return IValue(at::Tensor());
      case EE_FLOAT:
        return number(c10::Scalar(value.real));
      case EE_BOOL:
        return number(c10::Scalar(value.number != 0));
      default:
        return number(c10::Scalar(whole(value)));
    }
  }

  static IValue number(const c10::Scalar& scalar) {
    auto tensor = at::scalar_tensor(scalar, at::TensorOptions().dtype(scalar.type()));
    tensor.unsafeGetTensorImpl()->set_wrapped_number(true);
    return IValue(tensor);
  }

  IValue list(const c10::TypePtr& element, const ee_value& value) {
    // One number stands for a list of it.
    size_t count = 1;
    if (value.kind == EE_LIST) {
      count = static_cast<size_t>(value.number);
    } else {
      --next_;
    }
    auto items = c10::impl::GenericList(element->kind() == TypeKind::SymIntType ? c10::IntType::get() : element);
    for (size_t i = 0; i < count; ++i) items.push_back(read(element));
    return IValue(items);
  }
};

// Refuses numbers that stand for an element type, a layout or a memory format and are none: nobody looks at them again.
void check_option(const c10::TypePtr& type, const IValue& value) {
  if (const auto optional = type->cast<c10::OptionalType>()) return check_option(optional->getElementType(), value);
  if (!value.isInt()) return;
  const int64_t number = value.toInt();
  const auto in = [&](int64_t last) { return 0 <= number && number <= last; };
  const bool known = type->kind() == TypeKind::ScalarTypeType     ? in(11) || number == 15
                     : type->kind() == TypeKind::LayoutType       ? number == 0
                     : type->kind() == TypeKind::MemoryFormatType ? in(3)
                                                                  : true;
  if (!known) throw std::runtime_error("there is no element type, dense layout or memory format " + std::to_string(number));
}

// Refuses whole numbers whose negative does not exist: the processor stops a program that divides them by -1.
void check_entries(const IValue& value) {
  if (value.isTensor()) {
    const at::Tensor& tensor = value.toTensor();
    if (!tensor.defined() || tensor.numel() == 0) return;
    const auto type = tensor.scalar_type();
    if (type == at::kLong && at::min(tensor).item<int64_t>() == std::numeric_limits<int64_t>::min())
      throw std::runtime_error("an entry is -2^63, which cannot be divided safely");
    if (type == at::kInt && at::min(tensor).item<int32_t>() == std::numeric_limits<int32_t>::min())
      throw std::runtime_error("an entry is -2^31, which cannot be divided safely");
  } else if (value.isList()) {
    for (const IValue& item : value.toListRef()) check_entries(item);
  }
}

void check_result(const at::Tensor& tensor) {
  if (tensor.layout() != at::kStrided || tensor.is_quantized() || !tensor.device().is_cpu())
    throw std::runtime_error("the result is not a dense tensor");
  switch (tensor.scalar_type()) {
    case at::kByte:
    case at::kChar:
    case at::kShort:
    case at::kInt:
    case at::kLong:
    case at::kHalf:
    case at::kBFloat16:
    case at::kFloat:
    case at::kDouble:
    case at::kComplexFloat:
    case at::kComplexDouble:
    case at::kBool:
      return;
    default:
      throw std::runtime_error(std::string("the result has the element type ") + c10::toString(tensor.scalar_type()));
  }
}

}  // namespace

struct ee_results {
  std::vector<ee_value> values;
  size_t taken = 0;

  void add(const IValue& value) {
    ee_value out{EE_NONE, 0, 0.0, nullptr, nullptr};
    if (value.isBool()) {
      out.kind = EE_BOOL;
      out.number = value.toBool();
    } else if (value.isInt()) {
      out.kind = EE_INT;
      out.number = value.toInt();
    } else if (value.isDouble()) {
      out.kind = EE_FLOAT;
      out.real = value.toDouble();
    } else if (value.isList()) {
      const auto items = value.toListRef();
      out.kind = EE_LIST;
      out.number = static_cast<int64_t>(items.size());
      values.push_back(out);
      for (const IValue& item : items) add(item);
      return;
    } else if (value.isTensor()) {
      at::Tensor tensor = value.toTensor();
      if (tensor.defined()) {
        check_result(tensor);
        // Of a lazy conjugate or negative only the entries count.
        if (tensor.is_conj() || tensor.is_neg()) tensor = tensor.resolve_conj().resolve_neg();
        out.kind = EE_TENSOR;
        out.tensor = new at::Tensor(tensor.detach());
      }
    } else if (!value.isNone()) {
      throw std::runtime_error("the result is " + value.tagKind());
    }
    values.push_back(out);
  }

  void drop_tensors() {
    for (ee_value& value : values) delete static_cast<at::Tensor*>(value.tensor);
    values.clear();
  }
};

namespace {

void compute(const char* name, const char* overload, Arguments arguments, size_t bytes, ee_results& results) {
  const auto op = dispatched(name, overload);
  const auto script = op ? nullptr : scripted(name, overload);
  if (!op && !script) throw std::runtime_error("there is no such operator");
  const c10::FunctionSchema& schema = op ? op->schema() : script->schema();
  const int traits = op ? traits_of(schema) : traits_of_scripted(schema);
  if (!(traits & EE_COMPUTES)) throw std::runtime_error("the operator cannot be computed");
  torch::jit::Stack stack;
  for (const auto& argument : schema.arguments()) {
    stack.push_back(arguments.read(argument.type()));
    check_option(argument.real_type(), stack.back());
  }
  arguments.end();
  if (!(traits & EE_VIEW))
    for (const IValue& value : stack) check_entries(value);
  {
    const at::NoGradGuard no_gradients;
    const Limits limits(bytes);
    if (op) {
      op->callBoxed(stack);
    } else {
      script->getOperation()(stack);
    }
    results.taken = bytes - static_cast<size_t>(bytes_left);
  }
  if (stack.size() > 1) {
    ee_value several{EE_LIST, static_cast<int64_t>(stack.size()), 0.0, nullptr, nullptr};
    results.values.push_back(several);
  }
  for (const IValue& value : stack) results.add(value);
}

}  // namespace

char* ee_operator_traits(const char* name, const char* overload, int* traits) {
  return guarded([&] {
    *traits = 0;
    if (const auto op = dispatched(name, overload)) {
      *traits = traits_of(op->schema());
      if (op->hasTag(at::Tag::nondeterministic_seeded)) *traits |= EE_RANDOM;
      if (op->hasTag(at::Tag::pointwise)) *traits |= EE_POINTWISE;
    } else if (const auto script = scripted(name, overload)) {
      *traits = traits_of_scripted(script->schema());
    }
  });
}

char* ee_compute(const char* name, const char* overload, const ee_value* arguments, size_t length, size_t bytes, int* exceeded,
                 ee_results** results) {
  *exceeded = 0;
  auto made = std::make_unique<ee_results>();
  char* message = guarded([&] {
    limit_allocations();
    try {
      compute(name, overload, Arguments(arguments, length), bytes, *made);
    } catch (const Exceeded&) {
      *exceeded = 1;
      throw;
    }
  });
  if (message == nullptr) {
    *results = made.release();
  } else {
    made->drop_tensors();
  }
  return message;
}

const ee_value* ee_results_values(const ee_results* results, size_t* length) {
  *length = results->values.size();
  return results->values.data();
}

size_t ee_results_taken(const ee_results* results) { return results->taken; }

void ee_results_free(ee_results* results) { delete results; }
