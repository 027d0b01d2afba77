/* Attention within regions and max pooling over them, forward and backward, for one processor with several cores.

   What PyTorch does in a dozen passes over all neighbourhoods is done here a few regions at a time, in a core's cache. The
   plain forms are in region_attention.py and region_pooling.py, whose letters these are: a table of tokens (M, C), rows
   (R, K) of it for each region, updates (R, K, D), a weight (C, D), and places, the neighbours that maxima are of.
   Every function returns 0, or 1 if a row is outside the table, and has then written nothing. Tensors have room for what
   region_kernels.py says. */

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "vectors.h"

#define USUAL_HEAD 3 /* dimension of a head in every config, for which loops are unrolled */

/* MAX_K neighbours of a region, MAX_HEAD numbers of a head and MAX_D of an update are the most; region_kernels.py defines
   them. */

static int outside(const int64_t *rows, int64_t count, int64_t size) {
    int64_t wrong = 0;
    for (int64_t i = 0; i < count; i++) wrong |= rows[i] < 0 || rows[i] >= size;
    return wrong != 0;
}

/* One head of LANES regions, a region per lane: numbers (K, width) of their tokens, from rows (R, K) of a matrix. Behind
   the last region stands that one again. */
INLINE void take(const float *matrix, int64_t columns, const int64_t *rows, int64_t first, int64_t R, int K, int parts,
                 int stride, int d, float *numbers) {
    for (int l = 0; l < LANES; l++) {
        const int64_t region = first + l < R ? first + l : R - 1;
        for (int k = 0; k < K; k++) {
            const int64_t token = region * K + k;
            const float *from = matrix + (rows ? rows[token] : token) * columns;
            for (int part = 0; part < parts; part++)
                for (int e = 0; e < d; e++) numbers[((k * parts + part) * d + e) * LANES + l] = from[part * stride + e];
        }
    }
}

/* The reverse, to rows of regions that are there. */
INLINE void give(const float *numbers, int64_t columns, int64_t first, int64_t R, int K, int parts, int stride, int d,
                 float *matrix) {
    for (int l = 0; l < LANES && first + l < R; l++)
        for (int k = 0; k < K; k++) {
            float *to = matrix + ((first + l) * K + k) * columns;
            for (int part = 0; part < parts; part++)
                for (int e = 0; e < d; e++) to[part * stride + e] = numbers[((k * parts + part) * d + e) * LANES + l];
        }
}

/* Attention p[j] of a query to each of K keys, the first of the parts of every token that are 3 * d apart. */
INLINE void probabilities(const lanes *query, const float *keys, int K, int d, lanes *p) {
    lanes high = splat(-INFINITY), total = splat(0);
    for (int j = 0; j < K; j++) {
        p[j] = splat(0);
        for (int e = 0; e < d; e++) p[j] += query[e] * load(keys + (j * 3 * d + e) * LANES);
        high = choose(p[j] > high, p[j], high);
    }
    for (int j = 0; j < K; j++) total += p[j] = exponential(p[j] - high);
    const lanes share = 1.0f / total;
    for (int j = 0; j < K; j++) p[j] *= share;
}

/* What the tokens of LANES regions find, found (K, d), in their queries, keys and values, near (K, 3, d). */
INLINE void attend(const float *near, int K, int d, float *found) {
    const lanes scale = splat(1.0f / sqrtf((float)d));
    const float *keys = near + d * LANES, *values = keys + d * LANES;
    for (int i = 0; i < K; i++) {
        lanes p[MAX_K], query[MAX_HEAD];
        for (int e = 0; e < d; e++) query[e] = load(near + (i * 3 * d + e) * LANES) * scale;
        probabilities(query, keys, K, d, p);
        for (int e = 0; e < d; e++) {
            lanes out = splat(0);
            for (int j = 0; j < K; j++) out += p[j] * load(values + (j * 3 * d + e) * LANES);
            store(found + (i * d + e) * LANES, out);
        }
    }
}

/* What near (K, 3, d) gets, sent (K, 3, d), of the gradient g (K, d) of what was found.

   With q scaled and p the attention of query i to key j: v_j gets the sum over i of p g_i, the score of the two
   s = p (g_i v_j - mean over p of g_i v), q_i the sum over j of s k_j, and k_j that over i of s q_i. */
INLINE void attend_back(const float *near, const float *g, int K, int d, float *sent) {
    const lanes scale = splat(1.0f / sqrtf((float)d));
    const float *keys = near + d * LANES, *values = keys + d * LANES;
    float *to_keys = sent + d * LANES, *to_values = to_keys + d * LANES;
    memset(sent, 0, sizeof(float) * K * 3 * d * LANES);
    for (int i = 0; i < K; i++) {
        lanes p[MAX_K], of_p[MAX_K], query[MAX_HEAD], given[MAX_HEAD], to_query[MAX_HEAD], mean = splat(0);
        for (int e = 0; e < d; e++) {
            query[e] = load(near + (i * 3 * d + e) * LANES) * scale;
            given[e] = load(g + (i * d + e) * LANES);
            to_query[e] = splat(0);
        }
        probabilities(query, keys, K, d, p);
        for (int j = 0; j < K; j++) {
            of_p[j] = splat(0);
            for (int e = 0; e < d; e++) of_p[j] += given[e] * load(values + (j * 3 * d + e) * LANES);
            mean += p[j] * of_p[j];
        }
        for (int j = 0; j < K; j++) {
            const lanes score = p[j] * (of_p[j] - mean);
            for (int e = 0; e < d; e++) {
                const int at = (j * 3 * d + e) * LANES;
                to_query[e] += score * load(keys + at);
                store(to_keys + at, load(to_keys + at) + score * query[e]);
                store(to_values + at, load(to_values + at) + p[j] * given[e]);
            }
        }
        for (int e = 0; e < d; e++) store(sent + (i * 3 * d + e) * LANES, to_query[e] * scale);
    }
}

/* One head of LANES regions of region_attention. */
INLINE void attend_heads(const float *table, const int64_t *rows, int64_t first, int64_t R, int K, int A, int d,
                         float *found) {
    float near[MAX_K * 3 * MAX_HEAD * LANES], out[MAX_K * MAX_HEAD * LANES];
    take(table, 3 * A, rows, first, R, K, 3, A, d, near);
    attend(near, K, d, out);
    give(out, A, first, R, K, 1, A, d, found);
}

/* What every token of every region finds, found (R, K, A), in a table (M, 3A) of queries, keys and values. */
int region_attention(const float *table, int64_t M, const int64_t *rows, int64_t R, int K, int A, int heads, float *found,
                     int threads) {
    if (outside(rows, R * K, M)) return 1;
    const int d = A / heads;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t first = 0; first < R; first += LANES)
        for (int a = 0; a < A; a += d) {
            if (d == USUAL_HEAD) attend_heads(table + a, rows, first, R, K, A, USUAL_HEAD, found + a);
            else attend_heads(table + a, rows, first, R, K, A, d, found + a);
        }
    return 0;
}

/* One head of LANES regions of region_attention_gradient. */
INLINE void attend_heads_back(const float *gradient, const float *table, const int64_t *rows, int64_t first, int64_t R,
                              int K, int A, int d, float *near_gradient) {
    float near[MAX_K * 3 * MAX_HEAD * LANES], given[MAX_K * MAX_HEAD * LANES], sent[MAX_K * 3 * MAX_HEAD * LANES];
    take(table, 3 * A, rows, first, R, K, 3, A, d, near);
    take(gradient, A, NULL, first, R, K, 1, A, d, given);
    attend_back(near, given, K, d, sent);
    give(sent, 3 * A, first, R, K, 3, A, d, near_gradient);
}

/* What the queries, keys and values of every region's tokens, near (R, K, 3A), get of the gradient (R, K, A). */
int region_attention_gradient(const float *gradient, const float *table, int64_t M, const int64_t *rows, int64_t R, int K,
                              int A, int heads, float *near_gradient, int threads) {
    if (outside(rows, R * K, M)) return 1;
    const int d = A / heads;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t first = 0; first < R; first += LANES)
        for (int a = 0; a < A; a += d) {
            float *to = near_gradient + a;
            if (d == USUAL_HEAD) attend_heads_back(gradient + a, table + a, rows, first, R, K, A, USUAL_HEAD, to);
            else attend_heads_back(gradient + a, table + a, rows, first, R, K, A, d, to);
        }
    return 0;
}

/* Maxima (R, C) over the neighbours of token + weight @ update, and their places. ``across`` is the weight, (D, C). */
int region_maxima(const float *table, int64_t M, int C, const int64_t *rows, int64_t R, int K, const float *update, int D,
                  const float *across, float *maxima, uint8_t *places, int threads) {
    if (outside(rows, R * K, M)) return 1;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t r = 0; r < R; r++)
        for (int c = 0; c < C; c += LANES) {
            lanes most = splat(-INFINITY);
            ints place = {0};
            for (int k = 0; k < K; k += 8) { /* eight neighbours share what is read of the weight */
                const int count = K - k < 8 ? K - k : 8;
                const int64_t *row = rows + r * K + k;
                const float *u[8];
                lanes value[8];
                for (int n = 0; n < 8; n++) {
                    const int m = n < count ? n : 0;
                    value[n] = load(table + row[m] * C + c);
                    u[n] = update + (r * K + k + m) * D;
                }
                for (int a = 0; a < D; a++) {
                    const lanes w = load(across + (int64_t)a * C + c);
                    for (int n = 0; n < 8; n++) value[n] += w * u[n][a];
                }
                for (int n = 0; n < count; n++) {
                    const ints higher = (value[n] > most) | (value[n] != value[n]); /* NaN stays */
                    most = choose(higher, value[n], most);
                    place = (higher & (k + n)) | (~higher & place);
                }
            }
            store(maxima + r * C + c, most);
            for (int l = 0; l < LANES; l++) places[r * C + c + l] = (uint8_t)place[l];
        }
    return 0;
}

/* A row of D numbers that may be read up to ``width``, which would pass the end of the matrix in its last rows. */
static inline const float *wide_row(const float *matrix, int64_t rows, int64_t row, int D, int width, float *spare) {
    if (row * D + width <= rows * D) return matrix + row * D;
    memcpy(spare, matrix + row * D, sizeof(float) * D);
    return spare;
}

/* What table, update and weight get of the gradient (R, C) of the maxima. ``to_table`` is zero before. */
int region_maxima_gradient(const float *gradient, int64_t M, int C, const int64_t *rows, int64_t R, int K,
                           const uint8_t *places, const float *update, const float *weight, int D, float *to_table,
                           float *to_update, float *to_weight, int threads) {
    if (outside(rows, R * K, M)) return 1;
    const int width = (D + EIGHT - 1) / EIGHT * EIGHT;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t r = 0; r < R; r++) {
        float sums[MAX_K * MAX_D] = {0}, spare[MAX_D] = {0};
        for (int c = 0; c < C; c++) {
            const float *w = wide_row(weight, C, c, D, width, spare), g = gradient[r * C + c];
            float *to = sums + places[r * C + c] * width;
            for (int a = 0; a < width; a += EIGHT) store_eight(to + a, load_eight(to + a) + load_eight(w + a) * g);
        }
        for (int k = 0; k < K; k++) memcpy(to_update + (r * K + k) * D, sums + k * width, sizeof(float) * D);
    }
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int first = 0; first < C; first += LANES) {
        float sums[LANES * MAX_D] = {0}, spare[MAX_D] = {0};
        for (int64_t r = 0; r < R; r++)
            for (int l = 0; l < LANES; l++) {
                const int64_t near = r * K + places[r * C + first + l];
                const float *u = wide_row(update, R * K, near, D, width, spare), g = gradient[r * C + first + l];
                float *to = sums + l * width;
                to_table[rows[near] * C + first + l] += g;
                for (int a = 0; a < width; a += EIGHT) store_eight(to + a, load_eight(to + a) + load_eight(u + a) * g);
            }
        for (int l = 0; l < LANES; l++) memcpy(to_weight + (int64_t)(first + l) * D, sums + l * width, sizeof(float) * D);
    }
    return 0;
}
