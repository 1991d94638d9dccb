#include "norm.h"

#include <algorithm>
#include <cstring>

// Compiled for several processors, of which the one at hand is chosen when the program starts.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define FOR_EACH_PROCESSOR __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define FOR_EACH_PROCESSOR
#endif

namespace eagleeye {

namespace {

constexpr size_t kChunk = 16384;

// So many channels at once, whose sums stay in registers. Compilers make what a processor has of them.
typedef float Wide __attribute__((vector_size(64)));
typedef float Narrow __attribute__((vector_size(32)));

template <typename Block>
inline __attribute__((always_inline)) void add_up_block(const Rows& chunk, size_t first, const float* shift, float* sums,
                                                        float* squares) {
  Block sum{};
  Block square{};
  Block origin, value;
  std::memcpy(&origin, shift + first, sizeof(Block));
  const float* row = chunk.values + first;
  for (size_t r = 0; r < chunk.rows; ++r, row += chunk.channels) {
    std::memcpy(&value, row, sizeof(Block));
    value -= origin;
    sum += value;
    square += value * value;
  }
  std::memcpy(sums + first, &sum, sizeof(Block));
  std::memcpy(squares + first, &square, sizeof(Block));
}

template <typename Block, bool kAdds, bool kRelu>
inline __attribute__((always_inline)) void scale_rows(const Rows& from, size_t first, const Scale& scale, const float* addend,
                                                      float* to) {
  Block factor, offset, value, added;
  std::memcpy(&factor, scale.factors + first, sizeof(Block));
  std::memcpy(&offset, scale.offsets + first, sizeof(Block));
  for (size_t r = 0, place = first; r < from.rows; ++r, place += from.channels) {
    std::memcpy(&value, from.values + place, sizeof(Block));
    value = value * factor + offset;
    if constexpr (kAdds) {
      std::memcpy(&added, addend + place, sizeof(Block));
      value += added;
    }
    // What is not a number stays so.
    if constexpr (kRelu) value = value < 0 ? Block{} : value;
    std::memcpy(to + place, &value, sizeof(Block));
  }
}

template <typename Block>
inline __attribute__((always_inline)) void scale_block(const Rows& from, size_t first, const Scale& scale, const float* addend,
                                                       float* to) {
  if (addend) {
    if (scale.relu) return scale_rows<Block, true, true>(from, first, scale, addend, to);
    return scale_rows<Block, true, false>(from, first, scale, addend, to);
  }
  if (scale.relu) return scale_rows<Block, false, true>(from, first, scale, addend, to);
  return scale_rows<Block, false, false>(from, first, scale, addend, to);
}

}  // namespace

size_t rows_of_chunk(size_t channels) { return std::max<size_t>(1, kChunk / std::max<size_t>(1, channels)); }

FOR_EACH_PROCESSOR
void add_up(const Rows& chunk, const float* shift, float* sums, float* squares) {
  constexpr size_t kWide = sizeof(Wide) / sizeof(float);
  constexpr size_t kNarrow = sizeof(Narrow) / sizeof(float);
  size_t first = 0;
  for (; first + kWide <= chunk.channels; first += kWide) add_up_block<Wide>(chunk, first, shift, sums, squares);
  for (; first + kNarrow <= chunk.channels; first += kNarrow) add_up_block<Narrow>(chunk, first, shift, sums, squares);
  for (; first < chunk.channels; ++first) add_up_block<float>(chunk, first, shift, sums, squares);
}

FOR_EACH_PROCESSOR
void scale(const Rows& from, const Scale& scale, const float* addend, float* to) {
  constexpr size_t kWide = sizeof(Wide) / sizeof(float);
  constexpr size_t kNarrow = sizeof(Narrow) / sizeof(float);
  size_t first = 0;
  for (; first + kWide <= from.channels; first += kWide) scale_block<Wide>(from, first, scale, addend, to);
  for (; first + kNarrow <= from.channels; first += kNarrow) scale_block<Narrow>(from, first, scale, addend, to);
  for (; first < from.channels; ++first) scale_block<float>(from, first, scale, addend, to);
}

}  // namespace eagleeye
