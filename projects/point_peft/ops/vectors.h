/* Vectors of as many float32 as a register holds, in the extension that GCC and Clang share. */

#include <stdint.h>

#ifdef __AVX512F__
#define LANES 16
#else
#define LANES 8
#endif

typedef float lanes __attribute__((vector_size(4 * LANES)));
typedef int32_t ints __attribute__((vector_size(4 * LANES)));
typedef float loose __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

/* For functions whose loops are unrolled where an argument is a constant. */
#define INLINE static inline __attribute__((always_inline))

static inline lanes load(const float *from) { return *(const loose *)from; }
static inline void store(float *to, lanes value) { *(loose *)to = value; }
static inline lanes splat(float value) { return value - (lanes){0}; }
static inline lanes choose(ints mask, lanes yes, lanes no) {
    return (lanes)((mask & (ints)yes) | (~mask & (ints)no));
}

/* exp of numbers not above zero, to 2 units of the last place (Cephes' expf). */
static inline lanes exponential(lanes x) {
    const lanes big = splat(12582912.0f); /* adding it rounds to a whole number */
    x = choose(x < splat(-87.0f), splat(-87.0f), x);
    lanes n = x * 1.44269504088896341f + big;
    n -= big;
    lanes r = x - n * 0.693359375f + n * 2.12194440e-4f;
    lanes p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    ints power = (__builtin_convertvector(n, ints) + 127) << 23;
    return p * (lanes)power;
}

/* Vectors of eight, for short rows. */
#define EIGHT 8

typedef float eight __attribute__((vector_size(4 * EIGHT)));
typedef float loose_eight __attribute__((vector_size(4 * EIGHT), aligned(4), may_alias));

static inline eight load_eight(const float *from) { return *(const loose_eight *)from; }
static inline void store_eight(float *to, eight value) { *(loose_eight *)to = value; }
