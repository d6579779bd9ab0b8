// Kernels one after the other, for as many columns at a time as stay in the cache.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

typedef void (*Kernel)(const void *const *, void *const *, const int64_t *, const int64_t *, int64_t, int64_t);

// buffers: a pointer to all columns of an outer one, null for an inner one, which lives only within a group of columns and
// only while it is needed: places says in which of the inner rows it begins;
// calls: for each its number of inputs and of outputs, then their buffers.  width: columns that a kernel needs at least.
extern "C" void run_sequence(const Kernel *kernels, int64_t calls, const int64_t *wiring, char *const *buffers,
                             const int64_t *places, int64_t count, int64_t inner, int64_t size, int64_t columns,
                             int64_t width, int64_t group, int64_t threads) {
  const int64_t line = 64, groups = (columns + group - 1) / group;
  // an odd number of cache lines from row to row: with a power of two all rows would fall into the same few places
  const int64_t row = ((group * size + line - 1) / line | 1) * line;
#pragma omp parallel num_threads(threads) if (threads > 1)
  {
    const std::unique_ptr<char[]> room(new char[inner * row + line]);
    char *const inside = room.get() + (line - (uintptr_t)room.get() % line) % line;
    std::vector<void *> at(count), in(count), out(count);
    std::vector<int64_t> stride(count), p(count), q(count);
#pragma omp for
    for (int64_t g = 0; g < groups; ++g) {
      // the last group may be smaller, and then overlaps the one before it if it must
      const int64_t first = std::min(g * group, columns - width), some = std::min(group, columns - first);
      for (int64_t b = 0; b < count; ++b) {
        at[b] = buffers[b] ? buffers[b] + first * size : inside + places[b] * row;
        stride[b] = buffers[b] ? columns : row / size;
      }
      const int64_t *wire = wiring;
      for (int64_t k = 0; k < calls; ++k) {
        const int64_t inputs = *wire++, outputs = *wire++;
        for (int64_t i = 0; i < inputs; ++i, ++wire) { in[i] = at[*wire]; p[i] = stride[*wire]; }
        for (int64_t i = 0; i < outputs; ++i, ++wire) { out[i] = at[*wire]; q[i] = stride[*wire]; }
        kernels[k](in.data(), out.data(), p.data(), q.data(), some, 1);
      }
    }
  }
}
