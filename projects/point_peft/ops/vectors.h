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

/* Vectors of eight, for short rows. */
#define EIGHT 8

typedef float eight __attribute__((vector_size(4 * EIGHT)));
typedef float loose_eight __attribute__((vector_size(4 * EIGHT), aligned(4), may_alias));

static inline eight load_eight(const float *from) { return *(const loose_eight *)from; }
static inline void store_eight(float *to, eight value) { *(loose_eight *)to = value; }
