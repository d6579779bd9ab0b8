// Kernels one after the other, for as many columns at a time as stay in the cache.

#include <cstdint>
#include <vector>

typedef void (*Kernel)(const void *const *, void *const *, const int64_t *, const int64_t *, int64_t, int64_t);

// buffers: a pointer to all columns of an outer one, null for an inner one, which lives only within a group of columns;
// calls: for each its number of inputs and of outputs, then their buffers.
extern "C" void run_sequence(const Kernel *kernels, int64_t calls, const int64_t *wiring, char *const *buffers,
                             const int64_t *rows, int64_t count, int64_t size, int64_t columns, int64_t group,
                             int64_t threads) {
  int64_t inner = 0;
  for (int64_t b = 0; b < count; ++b) inner += buffers[b] ? 0 : rows[b];
  if (group > columns) group = columns;
  const int64_t groups = (columns + group - 1) / group;
#pragma omp parallel num_threads(threads) if (threads > 1)
  {
    std::vector<char> room(inner * group * size + 64);
    std::vector<void *> at(count), in(count), out(count);
    std::vector<int64_t> stride(count), p(count), q(count);
#pragma omp for
    for (int64_t g = 0; g < groups; ++g) {
      // the last group overlaps the one before it
      const int64_t first = g == groups - 1 ? columns - group : g * group;
      char *next = room.data() + (64 - (uintptr_t)room.data() % 64) % 64;
      for (int64_t b = 0; b < count; ++b) {
        at[b] = buffers[b] ? buffers[b] + first * size : next;
        stride[b] = buffers[b] ? columns : group;
        if (!buffers[b]) next += rows[b] * group * size;
      }
      const int64_t *wire = wiring;
      for (int64_t k = 0; k < calls; ++k) {
        const int64_t inputs = *wire++, outputs = *wire++;
        for (int64_t i = 0; i < inputs; ++i, ++wire) { in[i] = at[*wire]; p[i] = stride[*wire]; }
        for (int64_t i = 0; i < outputs; ++i, ++wire) { out[i] = at[*wire]; q[i] = stride[*wire]; }
        kernels[k](in.data(), out.data(), p.data(), q.data(), group, 1);
      }
    }
  }
}
