// The arithmetic of a batch norm that takes its statistics from the batch, on rows of channels in plain memory. It is done in
// float32, whatever the numbers are stored in.
#pragma once

#include <cstddef>
#include <cstdint>

namespace eagleeye {

// A bfloat16: the upper half of a float32.
struct Bfloat16 {
  uint16_t bits;
};

// `rows` rows of `channels` numbers, one behind the other.
template <typename Number>
struct Rows {
  const Number* values;
  size_t rows;
  size_t channels;
};

// Rows of a chunk: some 64 KiB of float32, which stay in a core's own cache. It depends on the channels alone, so that sums do not
// depend on the number of threads.
size_t rows_of_chunk(size_t channels);

// The first so many numbers.
void widen(const float* from, size_t count, float* to);
void widen(const Bfloat16* from, size_t count, float* to);

// Adds up a chunk, less `shift` in each channel: `sums` and `squares` have `channels` numbers each and are overwritten.
void add_up(const Rows<float>& chunk, const float* shift, float* sums, float* squares);
void add_up(const Rows<Bfloat16>& chunk, const float* shift, float* sums, float* squares);

// What becomes of each number of a channel: `x * factor + offset`, and 0 instead of what is negative if `relu`.
struct Scale {
  const float* factors;
  const float* offsets;
  bool relu;
};

// `addend`, which has as many numbers as `from` or is null, is added before the ReLU. `to` may be `from.values`.
void scale(const Rows<float>& from, const Scale& scale, const float* addend, float* to);
void scale(const Rows<Bfloat16>& from, const Scale& scale, const Bfloat16* addend, Bfloat16* to);

}  // namespace eagleeye
