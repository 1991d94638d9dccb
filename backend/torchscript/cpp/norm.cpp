#include "norm.h"

#include <algorithm>
#include <cstring>

// Compiled for several processors, of which the one at hand is chosen when the program starts.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define FOR_EACH_PROCESSOR __attribute__((target_clones("default", "arch=haswell", "arch=skylake-avx512")))
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
  const size_t channels = from.channels;
  for (size_t i = 0, first = 0; i < from.rows; ++i, first += channels) {
    const float* row = from.values + first;
    float* out = to + first;
    for (size_t c = 0; c < channels; ++c) out[c] = row[c] * scale.factors[c] + scale.offsets[c];
    if (addend) {
      for (size_t c = 0; c < channels; ++c) out[c] += addend[first + c];
    }
    if (scale.relu) {
      // What is not a number stays so.
      for (size_t c = 0; c < channels; ++c) out[c] = out[c] < 0 ? 0 : out[c];
    }
  }
}

}  // namespace eagleeye
