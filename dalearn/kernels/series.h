// Functions of vectors as series, after the usual reductions of the argument, within two units in the last place.
// With AVX-512 exponential and logarithm come from avx512.h.

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

struct Reduced { Vector tail, rest, half_scale; };

// x = n log 2 + rest
INLINE Reduced reduce_exponent(Vector x) {
  x = at_most(at_least(x, Format::exponential_lower), Format::exponential_upper);
  const Vector shifted = x * NUMBER(1.4426950408889634074) + Format::rounding;
  const Vector n = shifted - Format::rounding;
  const Vector rest = (x - n * Format::log2_high) - n * Format::log2_low;
  // the whole number stands in the low bits of the shifted one; 2^n itself may be too large
  const Vector half_scale = (Vector)(((Mask)shifted + (Format::bias - 1)) << Format::bits);
  return {exponential_tail<Format::exponential_terms>(rest), rest, half_scale};
}

INLINE Vector exponential_minus_one(Vector x) {
  const Reduced r = reduce_exponent(x);
  const Vector half = ((r.rest * r.rest) * r.tail + r.rest) * r.half_scale + (r.half_scale - NUMBER(0.5));
  return half + half;
}

#if BYTES != 64
INLINE Vector exponential(Vector x) {
  if (everywhere(x, 0)) return all(1);
  const Reduced r = reduce_exponent(x);
  const Vector half = ((r.rest * r.rest) * r.tail + r.rest + NUMBER(1)) * r.half_scale;
  return x < all(Format::exponential_lower) ? Vector{} : half + half;
}

// numbers below the smallest normal one count as zero
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
#endif

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
