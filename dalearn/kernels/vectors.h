// Vectors of neighbouring columns.
//
// NUMBER is float or double.  A vector is as wide as the widest registers of the machine; the vector extensions of the
// compiler do the arithmetic.  Functions of vectors: series.h, and for exponential and logarithm also avx512.h.

#include <cmath>
#include <cstdint>
#if defined(__AVX__) || defined(__SSE2__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__) && defined(__AVX512DQ__)
#define BYTES 64
#elif defined(__AVX2__)
#define BYTES 32
#else
#define BYTES 16
#endif

template <typename T> struct Traits;
template <> struct Traits<float> {
  typedef int32_t Whole;
  static constexpr int bits = 23, bias = 127, exponential_terms = 7, logarithm_terms = 5, circle_terms = 5;
  static constexpr float rounding = 12582912.0f, largest = 3.4028234e38f, smallest = 1.17549435e-38f;
  static constexpr float log2_high = 0.693359375f, log2_low = -2.12194440e-4f;
  static constexpr float pi2_high = 1.5703125f, pi2_middle = 4.83751296997e-4f, pi2_low = 7.549789948768648e-8f;
  static constexpr float exponential_lower = -86.6f, exponential_upper = 89.0f;
};
template <> struct Traits<double> {
  typedef int64_t Whole;
  static constexpr int bits = 52, bias = 1023, exponential_terms = 13, logarithm_terms = 11, circle_terms = 9;
  static constexpr double rounding = 6755399441055744.0, largest = 1.7976931348623157e308, smallest = 2.2250738585072014e-308;
  static constexpr double log2_high = 0.693147180369123816490, log2_low = 1.90821492927058770002e-10;
  static constexpr double pi2_high = 1.57079632673412561417, pi2_middle = 6.07710050630396597660e-11, pi2_low = 2.02226624879595063154e-21;
  static constexpr double exponential_lower = -708.0, exponential_upper = 710.0;
};

typedef Traits<NUMBER> Format;
typedef Format::Whole Whole;
typedef NUMBER Vector __attribute__((vector_size(BYTES)));
typedef Whole Mask __attribute__((vector_size(BYTES)));
static constexpr int WIDTH = BYTES / sizeof(NUMBER);

#define INLINE static inline __attribute__((always_inline))

INLINE Vector all(NUMBER x) { return x - Vector{}; }
typedef NUMBER Unaligned __attribute__((vector_size(BYTES), aligned(sizeof(NUMBER))));
INLINE Vector load(const NUMBER *from) { return *(const Unaligned *)from; }
INLINE void store(NUMBER *to, Vector x) { *(Unaligned *)to = x; }
INLINE Vector choose(Mask condition, Vector a, Vector b) { return condition ? a : b; }

// a < b ? a : b, and a > b ? a : b, which the compiler does not see to be one instruction
INLINE Vector smaller(Vector a, Vector b) {
#if BYTES == 64
  if constexpr (sizeof(NUMBER) == 8) return (Vector)_mm512_min_pd((__m512d)a, (__m512d)b);
  else return (Vector)_mm512_min_ps((__m512)a, (__m512)b);
#else
  return a < b ? a : b;
#endif
}

INLINE Vector larger(Vector a, Vector b) {
#if BYTES == 64
  if constexpr (sizeof(NUMBER) == 8) return (Vector)_mm512_max_pd((__m512d)a, (__m512d)b);
  else return (Vector)_mm512_max_ps((__m512)a, (__m512)b);
#else
  return a > b ? a : b;
#endif
}

// not-a-number stays so, from either side
INLINE Vector minimum(Vector a, Vector b) { return a != a ? a : smaller(a, b); }
INLINE Vector maximum(Vector a, Vector b) { return a != a ? a : larger(a, b); }
INLINE Vector at_most(Vector a, NUMBER limit) { return smaller(all(limit), a); }
INLINE Vector at_least(Vector a, NUMBER limit) { return larger(all(limit), a); }

// Soil that is not frozen, a canopy without leaves: neighbouring columns often have the same simple argument.
INLINE bool everywhere(Vector x, NUMBER value) {
#if BYTES == 64
  if constexpr (sizeof(NUMBER) == 8) return _mm512_cmp_pd_mask((__m512d)x, (__m512d)all(value), _CMP_EQ_OQ) == 0xff;
  else return _mm512_cmp_ps_mask((__m512)x, (__m512)all(value), _CMP_EQ_OQ) == 0xffff;
#elif BYTES == 32
  if constexpr (sizeof(NUMBER) == 8) return _mm256_movemask_pd((__m256d)(x == all(value))) == 0xf;
  else return _mm256_movemask_ps((__m256)(x == all(value))) == 0xff;
#else
  return false;
#endif
}

INLINE Vector absolute(Vector x) {
  const Mask sign = Mask{} + ((Whole)1 << (8 * sizeof(NUMBER) - 1));
  return (Vector)((Mask)x & ~sign);
}

INLINE Vector square_root(Vector x) {
#if BYTES == 64
  if constexpr (sizeof(NUMBER) == 8) return (Vector)_mm512_sqrt_pd((__m512d)x);
  else return (Vector)_mm512_sqrt_ps((__m512)x);
#elif BYTES == 32
  if constexpr (sizeof(NUMBER) == 8) return (Vector)_mm256_sqrt_pd((__m256d)x);
  else return (Vector)_mm256_sqrt_ps((__m256)x);
#else
  Vector root;
  for (int i = 0; i < WIDTH; ++i) root[i] = __builtin_sqrt(x[i]);
  return root;
#endif
}
