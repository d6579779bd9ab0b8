// Vectors of neighbouring columns, and the functions of them that the compiler does not bring.
//
// NUMBER is float or double.  A vector is as wide as the widest registers of the machine; the vector extensions of the
// compiler do the arithmetic.  Exponential, logarithm, sine and cosine are their series after the usual reductions of
// the argument, within two units in the last place.  Numbers below the smallest normal one count as zero in the logarithm.

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
  static constexpr float exponential_lower = -87.0f, exponential_upper = 88.7f;
};
template <> struct Traits<double> {
  typedef int64_t Whole;
  static constexpr int bits = 52, bias = 1023, exponential_terms = 13, logarithm_terms = 11, circle_terms = 9;
  static constexpr double rounding = 6755399441055744.0, largest = 1.7976931348623157e308, smallest = 2.2250738585072014e-308;
  static constexpr double log2_high = 0.693147180369123816490, log2_low = 1.90821492927058770002e-10;
  static constexpr double pi2_high = 1.57079632673412561417, pi2_middle = 6.07710050630396597660e-11, pi2_low = 2.02226624879595063154e-21;
  static constexpr double exponential_lower = -708.0, exponential_upper = 709.7;
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

// not-a-number stays so, from either side
INLINE Vector minimum(Vector a, Vector b) { Vector least = a < b ? a : b; return a != a ? a : least; }
INLINE Vector maximum(Vector a, Vector b) { Vector most = a > b ? a : b; return a != a ? a : most; }
INLINE Vector at_most(Vector a, NUMBER limit) { return all(limit) < a ? all(limit) : a; }
INLINE Vector at_least(Vector a, NUMBER limit) { return all(limit) > a ? all(limit) : a; }

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

struct Factorials {
  double over[24];
  constexpr Factorials() : over{} { over[0] = 1.0; for (int k = 1; k < 24; ++k) over[k] = over[k - 1] / k; }
};
static constexpr Factorials factorials;

// 1/2! + r/3! + r^2/4! + ... by pairs, so that the multiplications overlap
template <int terms> INLINE Vector exponential_tail(Vector r) {
  const Vector square = r * r;
  Vector sum = NUMBER(factorials.over[terms - 1]) + r * NUMBER(factorials.over[terms]);
#pragma GCC unroll 8
  for (int k = terms - 3; k >= 2; k -= 2)
    sum = sum * square + (NUMBER(factorials.over[k]) + r * NUMBER(factorials.over[k + 1]));
  return sum;
}

struct Reduced { Vector tail, rest, scale; };

// x = n log 2 + rest
INLINE Reduced reduce_exponent(Vector x) {
  x = at_most(at_least(x, Format::exponential_lower), Format::exponential_upper);
  const Vector shifted = x * NUMBER(1.4426950408889634074) + Format::rounding;
  const Vector n = shifted - Format::rounding;
  const Vector rest = (x - n * Format::log2_high) - n * Format::log2_low;
  // the whole number stands in the low bits of the shifted one
  const Vector scale = (Vector)(((Mask)shifted + Format::bias) << Format::bits);
  return {exponential_tail<Format::exponential_terms>(rest), rest, scale};
}

INLINE Vector exponential(Vector x) {
  if (everywhere(x, 0)) return all(1);
  const Reduced r = reduce_exponent(x);
  const Vector y = ((r.rest * r.rest) * r.tail + r.rest + NUMBER(1)) * r.scale;
  const Vector large = all(Format::exponential_upper) < x ? all(__builtin_inf()) : y;
  return x < all(Format::exponential_lower) ? Vector{} : large;
}

INLINE Vector exponential_minus_one(Vector x) {
  const Reduced r = reduce_exponent(x);
  const Vector y = ((r.rest * r.rest) * r.tail + r.rest) * r.scale + (r.scale - NUMBER(1));
  const Vector large = all(Format::exponential_upper) < x ? all(__builtin_inf()) : y;
  return x < all(Format::exponential_lower) ? all(-1) : large;
}

INLINE Vector logarithm(Vector x) {
  if (everywhere(x, 1)) return Vector{};
  // x = 2^e m with m from sqrt(1/2) to sqrt(2);  log m = 2 (s + s^3/3 + ...) with s = (m - 1) / (m + 1)
  const Whole half_root = sizeof(NUMBER) == 8 ? (Whole)0x3FE6A09E667F3BCDLL : (Whole)0x3F3504F3;
  const Mask offset = (Mask)x - half_root;
  const Mask e = offset >> Format::bits;
  const Vector m = (Vector)((Mask)x - (e << Format::bits));
  const Vector exponent = __builtin_convertvector(e, Vector);
  const Vector f = m - NUMBER(1);
  const Vector s = f / (m + NUMBER(1));
  const Vector z = s * s;
  Vector sum = all(NUMBER(2) / (2 * Format::logarithm_terms + 1));
#pragma GCC unroll 16
  for (int k = Format::logarithm_terms - 1; k >= 1; --k) sum = sum * z + NUMBER(2) / (2 * k + 1);
  // 2 s = f - s f
  const Vector y = (exponent * Format::log2_low + (s * (z * sum) - s * f)) + f + exponent * Format::log2_high;
  const Vector invalid = x < Vector{} ? all(__builtin_nan("")) : all(-__builtin_inf());
  const Vector low = x < all(Format::smallest) ? invalid : y;
  return (x > all(Format::largest)) | (x != x) ? x : low;
}

struct Circle { Vector sine, cosine; Mask quarter; };

INLINE Circle circle(Vector x) {
  const Vector shifted = x * NUMBER(0.63661977236758134308) + Format::rounding;
  const Vector n = shifted - Format::rounding;
  const Vector r = ((x - n * Format::pi2_high) - n * Format::pi2_middle) - n * Format::pi2_low;
  const Vector z = r * r;
  Vector sine = Vector{}, cosine = Vector{};
#pragma GCC unroll 16
  for (int k = Format::circle_terms; k >= 1; --k) {
    const NUMBER sign = k % 2 ? -1 : 1;
    sine = (sine + sign * NUMBER(factorials.over[2 * k + 1])) * z;
    cosine = (cosine + sign * NUMBER(factorials.over[2 * k])) * z;
  }
  return {r + r * sine, NUMBER(1) + cosine, (Mask)shifted & 3};
}

INLINE Vector sine(Vector x) {
  const Circle a = circle(x);
  const Vector y = (a.quarter & 1) != 0 ? a.cosine : a.sine;
  return (a.quarter & 2) != 0 ? -y : y;
}

INLINE Vector cosine(Vector x) {
  const Circle a = circle(x);
  const Vector y = (a.quarter & 1) != 0 ? a.sine : a.cosine;
  return ((a.quarter + 1) & 2) != 0 ? -y : y;
}

// rarely needed, so one by one
INLINE Vector arctangent(Vector x) {
  Vector y;
  for (int i = 0; i < WIDTH; ++i) y[i] = std::atan(x[i]);
  return y;
}

INLINE Vector arccosine(Vector x) {
  Vector y;
  for (int i = 0; i < WIDTH; ++i) y[i] = std::acos(x[i]);
  return y;
}
