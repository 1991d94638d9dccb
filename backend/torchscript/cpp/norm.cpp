#include "norm.h"

#include <algorithm>
#include <cstring>

// Compiled for several processors, of which the one at hand is chosen when the program starts.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define FOR_EACH_PROCESSOR __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define FOR_EACH_PROCESSOR
#endif
#define INLINE inline __attribute__((always_inline))

namespace eagleeye {

namespace {

constexpr size_t kChunk = 16384;

// So many channels at once, whose sums stay in registers. Compilers make what a processor has of them.
typedef float Wide __attribute__((vector_size(64)));
typedef float Narrow __attribute__((vector_size(32)));

// The bits of a block of numbers, and their upper halves.
template <typename Block>
struct Bits;
template <>
struct Bits<Wide> {
  typedef uint32_t Whole __attribute__((vector_size(64)));
  typedef uint16_t Upper __attribute__((vector_size(32)));
};
template <>
struct Bits<Narrow> {
  typedef uint32_t Whole __attribute__((vector_size(32)));
  typedef uint16_t Upper __attribute__((vector_size(16)));
};

constexpr uint32_t kNotANumber = 0x7fc0'0000;

template <typename Block>
INLINE void load(const float* from, Block& to) {
  std::memcpy(&to, from, sizeof(Block));
}

template <typename Block>
INLINE void load(const Bfloat16* from, Block& to) {
  typename Bits<Block>::Upper upper;
  std::memcpy(&upper, from, sizeof(upper));
  const auto whole = __builtin_convertvector(upper, typename Bits<Block>::Whole) << 16;
  std::memcpy(&to, &whole, sizeof(Block));
}

INLINE void load(const Bfloat16* from, float& to) {
  const uint32_t whole = uint32_t{from->bits} << 16;
  std::memcpy(&to, &whole, sizeof(float));
}

template <typename Block>
INLINE void store(const Block& from, float* to) {
  std::memcpy(to, &from, sizeof(Block));
}

// To the nearest, of two that are equally near to the even one.
template <typename Block>
INLINE void store(const Block& from, Bfloat16* to) {
  typename Bits<Block>::Whole whole;
  std::memcpy(&whole, &from, sizeof(Block));
  whole += 0x7fff + ((whole >> 16) & 1);
  whole = from == from ? whole : typename Bits<Block>::Whole{} + kNotANumber;
  const auto upper = __builtin_convertvector(whole >> 16, typename Bits<Block>::Upper);
  std::memcpy(to, &upper, sizeof(upper));
}

INLINE void store(const float& from, Bfloat16* to) {
  uint32_t whole;
  std::memcpy(&whole, &from, sizeof(float));
  whole = from == from ? whole + 0x7fff + ((whole >> 16) & 1) : kNotANumber;
  to->bits = static_cast<uint16_t>(whole >> 16);
}

template <typename Block, typename Number>
INLINE void add_up_block(const Rows<Number>& chunk, size_t first, const float* shift, float* sums, float* squares) {
  Block sum{};
  Block square{};
  Block origin, value;
  load(shift + first, origin);
  const Number* row = chunk.values + first;
  for (size_t r = 0; r < chunk.rows; ++r, row += chunk.channels) {
    load(row, value);
    value -= origin;
    sum += value;
    square += value * value;
  }
  store(sum, sums + first);
  store(square, squares + first);
}

template <typename Number>
INLINE void add_up_all(const Rows<Number>& chunk, const float* shift, float* sums, float* squares) {
  constexpr size_t kWide = sizeof(Wide) / sizeof(float);
  constexpr size_t kNarrow = sizeof(Narrow) / sizeof(float);
  size_t first = 0;
  for (; first + kWide <= chunk.channels; first += kWide) add_up_block<Wide>(chunk, first, shift, sums, squares);
  for (; first + kNarrow <= chunk.channels; first += kNarrow) add_up_block<Narrow>(chunk, first, shift, sums, squares);
  for (; first < chunk.channels; ++first) add_up_block<float>(chunk, first, shift, sums, squares);
}

template <typename Block, bool kAdds, bool kRelu, typename Number>
INLINE void scale_rows(const Rows<Number>& from, size_t first, const Scale& scale, const Number* addend, Number* to) {
  Block factor, offset, value, added;
  load(scale.factors + first, factor);
  load(scale.offsets + first, offset);
  for (size_t r = 0, place = first; r < from.rows; ++r, place += from.channels) {
    load(from.values + place, value);
    value = value * factor + offset;
    if constexpr (kAdds) {
      load(addend + place, added);
      value += added;
    }
    // What is not a number stays so.
    if constexpr (kRelu) value = value < 0 ? Block{} : value;
    store(value, to + place);
  }
}

template <typename Block, typename Number>
INLINE void scale_block(const Rows<Number>& from, size_t first, const Scale& scale, const Number* addend, Number* to) {
  if (addend) {
    if (scale.relu) return scale_rows<Block, true, true>(from, first, scale, addend, to);
    return scale_rows<Block, true, false>(from, first, scale, addend, to);
  }
  if (scale.relu) return scale_rows<Block, false, true>(from, first, scale, addend, to);
  return scale_rows<Block, false, false>(from, first, scale, addend, to);
}

template <typename Number>
INLINE void scale_all(const Rows<Number>& from, const Scale& scale, const Number* addend, Number* to) {
  constexpr size_t kWide = sizeof(Wide) / sizeof(float);
  constexpr size_t kNarrow = sizeof(Narrow) / sizeof(float);
  size_t first = 0;
  for (; first + kWide <= from.channels; first += kWide) scale_block<Wide>(from, first, scale, addend, to);
  for (; first + kNarrow <= from.channels; first += kNarrow) scale_block<Narrow>(from, first, scale, addend, to);
  for (; first < from.channels; ++first) scale_block<float>(from, first, scale, addend, to);
}

}  // namespace

size_t rows_of_chunk(size_t channels) { return std::max<size_t>(1, kChunk / std::max<size_t>(1, channels)); }

void widen(const float* from, size_t count, float* to) { std::copy_n(from, count, to); }

void widen(const Bfloat16* from, size_t count, float* to) {
  for (size_t i = 0; i < count; ++i) load(from + i, to[i]);
}

FOR_EACH_PROCESSOR
void add_up(const Rows<float>& chunk, const float* shift, float* sums, float* squares) { add_up_all(chunk, shift, sums, squares); }

FOR_EACH_PROCESSOR
void add_up(const Rows<Bfloat16>& chunk, const float* shift, float* sums, float* squares) {
  add_up_all(chunk, shift, sums, squares);
}

FOR_EACH_PROCESSOR
void scale(const Rows<float>& from, const Scale& scale, const float* addend, float* to) { scale_all(from, scale, addend, to); }

FOR_EACH_PROCESSOR
void scale(const Rows<Bfloat16>& from, const Scale& scale, const Bfloat16* addend, Bfloat16* to) {
  scale_all(from, scale, addend, to);
}

}  // namespace eagleeye
