// Exponential and logarithm with the instructions of AVX-512, in half the time of their series, within one and a half
// units in the last place.  A table of 16 numbers shortens the series; the instructions that scale and split numbers
// know zero, infinity, numbers below the smallest normal one and not-a-number.

#if BYTES == 64
template <typename T> struct Table;
template <> struct Table<double> {
  // 2^(k/16)
  static constexpr double power[16] = {
      1.0, 1.0442737824274138, 1.0905077326652577, 1.1387886347566916,
      1.189207115002721, 1.241857812073484, 1.2968395546510096, 1.3542555469368927,
      1.4142135623730951, 1.4768261459394993, 1.5422108254079407, 1.6104903319492543,
      1.681792830507429, 1.7562521603732995, 1.8340080864093424, 1.9152065613971474};
  // For the sixteenths of [1, 1.5) and the thirty-seconds of [0.75, 1): minus the logarithm of a number near the inverse
  // of their middle.  Both are known beyond their last bit: the logarithm is a multiple of 2^-42, and that number was
  // chosen among the others of the kind as one that rounding changes by less than 2^-62.
  static constexpr double inverse[16] = {
      1.0, 0.9141138301372912, 0.8646652218019548, 0.8203224756960225,
      0.7804241310213519, 0.7442452858869969, 0.7110419276283877, 0.6810003749187216,
      1.3059548708034836, 1.2548446016214525, 1.207822153209837, 1.1635446470964947,
      1.1225969321754146, 1.0849161433106667, 1.0491863811077053, 1.0};
  static constexpr double logarithm[16] = {
      0.0, 0.08980017465091805, 0.14541287378301604, 0.1980577529875518,
      0.24791774936147704, 0.29538461315132736, 0.3410238809760813, 0.3841924222913349,
      -0.26693447497655143, -0.2270117415077948, -0.18881886451003993, -0.15147107611937827,
      -0.11564469073709915, -0.08150269673433286, -0.0480149886629988, 0.0};
  // log 2, its first part a multiple of 2^-42 too
  static constexpr double log2_high = 0.6931471805598903, log2_low = 5.497923018708371e-14;
  static constexpr double exponential_lower = -746.0, exponential_upper = 710.0;
};
template <> struct Table<float> {
  static constexpr float power[16] = {
      1.0f, 1.0442737f, 1.0905077f, 1.1387886f, 1.1892071f, 1.2418578f, 1.2968396f, 1.3542556f,
      1.4142135f, 1.4768262f, 1.5422108f, 1.6104903f, 1.6817929f, 1.7562522f, 1.8340081f, 1.9152066f};
  // multiples of 2^-16, within 2^-28
  static constexpr float inverse[16] = {
      1.0f, 0.9139624f, 0.8651374f, 0.8207471f, 0.78059727f, 0.74445343f, 0.71087205f, 0.6808698f,
      1.305839f, 1.2543958f, 1.2070956f, 1.1636901f, 1.1228558f, 1.0849267f, 1.049127f, 1.0f};
  static constexpr float logarithm[16] = {
      0.0f, 0.0899658203125f, 0.144866943359375f, 0.197540283203125f,
      0.2476959228515625f, 0.29510498046875f, 0.3412628173828125f, 0.3843841552734375f,
      -0.266845703125f, -0.226654052734375f, -0.1882171630859375f, -0.1515960693359375f,
      -0.115875244140625f, -0.081512451171875f, -0.0479583740234375f, 0.0f};
  static constexpr float log2_high = 0.693145751953125f, log2_low = 1.4286068e-6f;
  static constexpr float exponential_lower = -104.0f, exponential_upper = 89.0f;
};
typedef Table<NUMBER> Sixteen;

// the number of the table in the low four bits of each place
INLINE Vector look_up(const NUMBER *table, Mask place) {
  const Vector low = load(table), high = load(table + WIDTH % 16);
  if constexpr (sizeof(NUMBER) == 8) return (Vector)_mm512_permutex2var_pd((__m512d)low, (__m512i)place, (__m512d)high);
  else return (Vector)_mm512_permutexvar_ps((__m512i)place, (__m512)low);
}

// x 2^n
INLINE Vector scaled(Vector x, Vector n) {
  if constexpr (sizeof(NUMBER) == 8) return (Vector)_mm512_scalef_pd((__m512d)x, (__m512d)n);
  else return (Vector)_mm512_scalef_ps((__m512)x, (__m512)n);
}

INLINE Vector exponential(Vector x) {
  if (everywhere(x, 0)) return all(1);
  x = at_least(at_most(x, Sixteen::exponential_upper), Sixteen::exponential_lower);
  // x = n log 2 + r, with n in sixteenths, which the low bits of the shifted number count
  const NUMBER shift = Format::rounding / 16;
  const Vector shifted = x * NUMBER(1.4426950408889634074) + shift;
  const Vector n = shifted - shift;
  const Vector r = (x - n * Format::log2_high) - n * Format::log2_low;
  const Vector square = r * r;
  Vector tail;
  // nearest to (exp r - 1 - r) / r^2, weighted with r^2, for |r| < log 2 / 32
  if constexpr (sizeof(NUMBER) == 8)
    tail = (NUMBER(0.500000000000000453) + r * NUMBER(0.166666666645635725)) +
           square * ((NUMBER(0.0416666666602525178) + r * NUMBER(0.00833346848112581155)) + square * NUMBER(0.00138891213946920025));
  else
    tail = NUMBER(0.50000977) + r * NUMBER(0.16667057);
  const Vector power = look_up(Sixteen::power, (Mask)shifted);
  // n is rounded down
  return scaled(power + power * (r + square * tail), n);
}

struct Split { Vector mantissa, exponent; };

// x = mantissa 2^exponent with the mantissa from 0.75 to 1.5, not-a-number below zero
INLINE Split split(Vector x) {
  if constexpr (sizeof(NUMBER) == 8) {
    const __m512d one = _mm512_set1_pd(1), m = _mm512_getmant_pd((__m512d)x, _MM_MANT_NORM_p75_1p5, _MM_MANT_SIGN_nan);
    const __m512d e = _mm512_getexp_pd((__m512d)x);
    return {(Vector)m, (Vector)_mm512_mask_add_pd(e, _mm512_cmp_pd_mask(m, one, _CMP_LT_OQ), e, one)};
  } else {
    const __m512 one = _mm512_set1_ps(1), m = _mm512_getmant_ps((__m512)x, _MM_MANT_NORM_p75_1p5, _MM_MANT_SIGN_nan);
    const __m512 e = _mm512_getexp_ps((__m512)x);
    return {(Vector)m, (Vector)_mm512_mask_add_ps(e, _mm512_cmp_ps_mask(m, one, _CMP_LT_OQ), e, one)};
  }
}

INLINE Vector logarithm(Vector x) {
  if (everywhere(x, 1)) return Vector{};
  const Split s = split(x);
  const Mask place = (Mask)s.mantissa >> (Format::bits - 4);
  // on both sides of 1 the table holds 1 and 0, so that nothing cancels there
  const Vector r = s.mantissa * look_up(Sixteen::inverse, place) - NUMBER(1);
  const Vector square = r * r;
  Vector tail;
  // nearest to (log(1 + r) - r) / r^2, weighted with r, for r from -1/32 to 1/16
  if constexpr (sizeof(NUMBER) == 8) {
    const Vector low = (NUMBER(-0.500000000000000196) + r * NUMBER(0.333333333333468613)) +
                       square * (NUMBER(-0.249999999998898982) + r * NUMBER(0.199999999299703468));
    const Vector high = (NUMBER(-0.166666661296009253) + r * NUMBER(0.142858175848254063)) +
                        square * (NUMBER(-0.125018688905923873) + r * NUMBER(0.110722006262348931));
    const Vector fourth = square * square;
    tail = low + fourth * (high + fourth * NUMBER(-0.0875192886528402132));
  } else {
    tail = (NUMBER(-0.500000005735942243) + r * NUMBER(0.333344338440226473)) +
           square * (NUMBER(-0.250071310733136025) + r * NUMBER(0.18865049024587675));
  }
  const Vector whole = s.exponent * Sixteen::log2_high + look_up(Sixteen::logarithm, place);  // exact
  return whole + (r + (square * tail + s.exponent * Sixteen::log2_low));
}
#endif
