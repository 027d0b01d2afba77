/* Self-attention over short sequences, forward and backward, for one processor with several cores.

   One head of one cloud at a time, in a core's cache: of queries, keys and values (B, L, 3, H, D) come what tokens find
   (B, L, H, D). The plain form is in attention.py. Scores stand in rows of W numbers, the L of them filled up to whole
   vectors, with attention of 0. Every function returns 0, or 1 if there is no memory, and has then written nothing.
   L is ROWS at least and D fills vectors, as attention_kernels.py says. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vectors.h"

/* The part of a product that registers hold; attention_kernels.py defines ROWS. */
#define VECTORS (LANES / 4)

typedef struct {
    const float *from; /* first number */
    int64_t down, across; /* from one row to the next, from one number of a row to the next */
} matrix;

/* c (ROWS, vectors * LANES) = a (ROWS, depth) b (depth, vectors * LANES). */
INLINE void tile(matrix a, const float *b, int64_t b_row, int64_t depth, float *c, int64_t c_row, int vectors) {
    lanes sum[ROWS][VECTORS];
    for (int r = 0; r < ROWS; r++)
        for (int v = 0; v < vectors; v++) sum[r][v] = splat(0);
    for (int64_t k = 0; k < depth; k++) {
        lanes row[VECTORS];
        for (int v = 0; v < vectors; v++) row[v] = load(b + k * b_row + v * LANES);
        for (int r = 0; r < ROWS; r++) {
            const lanes number = splat(a.from[r * a.down + k * a.across]);
            for (int v = 0; v < vectors; v++) sum[r][v] += number * row[v];
        }
    }
    for (int r = 0; r < ROWS; r++)
        for (int v = 0; v < vectors; v++) store(c + r * c_row + v * LANES, sum[r][v]);
}

/* ROWS rows of c = a b, of so many columns. */
static void rows_of_product(matrix a, const float *b, int64_t b_row, int64_t depth, float *c, int64_t c_row,
                            int64_t columns) {
    const int64_t all = columns / LANES, parts = (all + VECTORS - 1) / VECTORS;
    for (int64_t part = 0; part < parts; part++) {
        const int64_t first = all * part / parts;
        const float *b_part = b + first * LANES;
        float *c_part = c + first * LANES;
        switch (all * (part + 1) / parts - first) {
        case 1: tile(a, b_part, b_row, depth, c_part, c_row, 1); break;
        case 2: tile(a, b_part, b_row, depth, c_part, c_row, 2); break;
#if VECTORS > 2
        case 3: tile(a, b_part, b_row, depth, c_part, c_row, 3); break;
        case 4: tile(a, b_part, b_row, depth, c_part, c_row, 4); break;
#endif
        }
    }
}

/* The first of ROWS rows that hold row i; the last ones overlap those before. */
static inline int64_t first_of(int64_t i, int64_t L) { return i + ROWS < L ? i : L - ROWS; }

/* c (L, D) = a (L, L) b (L, D). */
static void product(matrix a, const float *b, int64_t L, int64_t D, float *c, int64_t c_row) {
    for (int64_t i = 0; i < L; i += ROWS) {
        const int64_t row = first_of(i, L);
        const matrix part = {a.from + row * a.down, a.down, a.across};
        rows_of_product(part, b, D, L, c + row * c_row, c_row, D);
    }
}

/* Rows (L, D) that are `row` apart, side by side. */
static void take(const float *from, int64_t row, int64_t L, int64_t D, float *to) {
    for (int64_t l = 0; l < L; l++) memcpy(to + l * D, from + l * row, sizeof(float) * D);
}

/* Rows (L, D) as columns (D, W). */
static void turn(const float *from, int64_t L, int64_t D, int64_t W, float *to) {
    for (int64_t d = 0; d < D; d++) {
        for (int64_t l = 0; l < L; l++) to[d * W + l] = from[l * D + d];
        for (int64_t l = L; l < W; l++) to[d * W + l] = 0;
    }
}

/* Scores (ROWS, W), which become attention. */
static void soften(float *scores, int64_t L, int64_t W, float scale) {
    ints places;
    for (int l = 0; l < LANES; l++) places[l] = l;
    const ints there = places < (int)(L - (W - LANES)); /* in the last vector */
    for (int r = 0; r < ROWS; r++, scores += W) {
        lanes high = choose(there, load(scores + W - LANES), splat(-INFINITY)), total = splat(0);
        for (int64_t j = 0; j < W - LANES; j += LANES) {
            const lanes score = load(scores + j);
            high = choose(score > high, score, high);
        }
        float most = high[0], sum = 0;
        for (int l = 1; l < LANES; l++) most = high[l] > most ? high[l] : most;
        for (int64_t j = 0; j < W; j += LANES) {
            lanes p = exponential((load(scores + j) - most) * scale);
            if (j == W - LANES) p = choose(there, p, splat(0));
            store(scores + j, p);
            total += p;
        }
        for (int l = 0; l < LANES; l++) sum += total[l];
        const lanes share = splat(1.0f / sum);
        for (int64_t j = 0; j < W; j += LANES) store(scores + j, load(scores + j) * share);
    }
}

/* Gradients of attention p (ROWS, W), which become those of scores before their scale. */
static void soften_back(const float *p, float *gradient, int64_t W, float scale) {
    for (int r = 0; r < ROWS; r++, p += W, gradient += W) {
        lanes total = splat(0);
        for (int64_t j = 0; j < W; j += LANES) total += load(p + j) * load(gradient + j);
        float mean = 0;
        for (int l = 0; l < LANES; l++) mean += total[l];
        for (int64_t j = 0; j < W; j += LANES)
            store(gradient + j, load(p + j) * (load(gradient + j) - mean) * scale);
    }
}

/* Room for so many numbers in each thread's cache. */
static float *room(int64_t numbers) { return aligned_alloc(64, (sizeof(float) * numbers + 63) / 64 * 64); }

static int64_t filled_up(int64_t L) { return (L + LANES - 1) / LANES * LANES; }

int self_attention(const float *qkv, int64_t B, int64_t L, int64_t H, int64_t D, float *found, int threads) {
    const int64_t W = filled_up(L), token = 3 * H * D;
    const float scale = 1.0f / sqrtf((float)D);
    int failed = 0;
#pragma omp parallel num_threads(threads) reduction(| : failed)
    {
        float *keys = room(2 * L * D + D * W + ROWS * W), *values = keys + L * D, *turned = values + L * D;
        float *p = turned + D * W;
        failed = keys == NULL;
#pragma omp for
        for (int64_t head = 0; head < B * H; head++) {
            if (failed) continue;
            const float *queries = qkv + head / H * L * token + head % H * D;
            float *to = found + head / H * L * H * D + head % H * D;
            take(queries + H * D, token, L, D, keys);
            take(queries + 2 * H * D, token, L, D, values);
            turn(keys, L, D, W, turned);
            for (int64_t i = 0; i < L; i += ROWS) {
                const int64_t row = first_of(i, L);
                rows_of_product((matrix){queries + row * token, token, 1}, turned, W, D, p, W, W);
                soften(p, L, W, scale);
                rows_of_product((matrix){p, W, 1}, values, D, L, to + row * H * D, H * D, D);
            }
        }
        free(keys);
    }
    return failed;
}

/* What qkv gets, sent (B, L, 3, H, D), of the gradient (B, L, H, D) of what was found. */
int self_attention_gradient(const float *gradient, const float *qkv, int64_t B, int64_t L, int64_t H, int64_t D,
                            float *sent, int threads) {
    const int64_t W = filled_up(L), token = 3 * H * D;
    const float scale = 1.0f / sqrtf((float)D);
    int failed = 0;
#pragma omp parallel num_threads(threads) reduction(| : failed)
    {
        float *queries = room(4 * L * D + 2 * D * W + 2 * L * W), *keys = queries + L * D, *values = keys + L * D;
        float *given = values + L * D, *turned_keys = given + L * D, *turned_values = turned_keys + D * W;
        float *p = turned_values + D * W, *of_scores = p + L * W;
        failed = queries == NULL;
#pragma omp for
        for (int64_t head = 0; head < B * H; head++) {
            if (failed) continue;
            const int64_t place = head / H * L * token + head % H * D;
            const float *from = qkv + place;
            float *to = sent + place;
            take(from, token, L, D, queries);
            take(from + H * D, token, L, D, keys);
            take(from + 2 * H * D, token, L, D, values);
            take(gradient + head / H * L * H * D + head % H * D, H * D, L, D, given);
            turn(keys, L, D, W, turned_keys);
            turn(values, L, D, W, turned_values);
            for (int64_t i = 0; i < L; i += ROWS) {
                const int64_t row = first_of(i, L);
                rows_of_product((matrix){queries + row * D, D, 1}, turned_keys, W, D, p + row * W, W, W);
                soften(p + row * W, L, W, scale);
                rows_of_product((matrix){given + row * D, D, 1}, turned_values, W, D, of_scores + row * W, W, W);
                soften_back(p + row * W, of_scores + row * W, W, scale);
            }
            product((matrix){of_scores, W, 1}, keys, L, D, to, token);
            product((matrix){of_scores, 1, W}, queries, L, D, to + H * D, token);
            product((matrix){p, 1, W}, given, L, D, to + 2 * H * D, token);
        }
        free(queries);
    }
    return failed;
}
