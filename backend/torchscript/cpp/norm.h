// The arithmetic of a batch norm that takes its statistics from the batch, on rows of channels in plain memory.
#pragma once

#include <cstddef>

namespace eagleeye {

// `rows` rows of `channels` numbers, one behind the other.
struct Rows {
  const float* values;
  size_t rows;
  size_t channels;
};

// Rows of a chunk: some 64 KiB, which stay in a core's own cache. It depends on the channels alone, so that sums do not depend on
// the number of threads.
size_t rows_of_chunk(size_t channels);

// Adds up a chunk, less `shift` in each channel: `sums` and `squares` have `channels` numbers each and are overwritten.
void add_up(const Rows& chunk, const float* shift, float* sums, float* squares);

// What becomes of each number of a channel: `x * factor + offset`, and 0 instead of what is negative if `relu`.
struct Scale {
  const float* factors;
  const float* offsets;
  bool relu;
};

// `addend`, which has as many numbers as `from` or is null, is added before the ReLU. `to` may be `from.values`.
void scale(const Rows& from, const Scale& scale, const float* addend, float* to);

}  // namespace eagleeye
