/* Attention within regions and max pooling over them, forward and backward, for one processor with several cores.

   What PyTorch does in a dozen passes over all neighbourhoods is done here region by region, in a core's cache. The
   plain forms are in region_attention.py and region_pooling.py, whose letters these are: a table of tokens (M, C), rows
   (R, K) of it for each region, updates (R, K, D), a weight (C, D), and places, the neighbours that maxima are of.
   Every function returns 0, or 1 if a row is outside the table, and has then written nothing. Tensors have room for what
   region_kernels.py says. */

#include <math.h>
#include <string.h>

#include "vectors.h"

/* MAX_K neighbours of a region, MAX_A numbers of its attention, MAX_HEAD of a head and MAX_D of an update are the most;
   region_kernels.py defines them. */

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

static int outside(const int64_t *rows, int64_t count, int64_t size) {
    int64_t wrong = 0;
    for (int64_t i = 0; i < count; i++) wrong |= rows[i] < 0 || rows[i] >= size;
    return wrong != 0;
}

/* Numbers of a region's tokens (K, width), tokens last: (width, K rounded up to lanes), zero behind the last token. */
static void turn(const float *const *tokens, int K, int stride, int width, float *to) {
    for (int i = 0; i < K; i++)
        for (int a = 0; a < width; a++) to[a * stride + i] = tokens[i][a];
    for (int i = K; i < stride; i++)
        for (int a = 0; a < width; a++) to[a * stride + i] = 0;
}

/* Queries, keys and values (3A, stride) of a region's tokens, the queries scaled. */
static void take(const float *table, const int64_t *rows, int K, int A, int heads, int stride, float *near) {
    const float *tokens[MAX_K], scale = 1.0f / sqrtf((float)(A / heads));
    for (int i = 0; i < K; i++) tokens[i] = table + rows[i] * 3 * A;
    turn(tokens, K, stride, 3 * A, near);
    for (int a = 0; a < A * stride; a++) near[a] *= scale;
}

/* Products of the d numbers of LANES tokens with those of one other. */
static inline lanes product(const float *many, const float *one, int stride, int d) {
    lanes total = splat(0);
    for (int e = 0; e < d; e++) total += load(many + e * stride) * one[e * stride];
    return total;
}

/* Attention p[j] of LANES queries to each of K keys: share * exp(score - most). */
static inline void probabilities(const float *query, const float *keys, int K, int stride, int d, lanes *p, lanes *most,
                                 lanes *share) {
    lanes high = splat(-INFINITY), total = splat(0);
    for (int j = 0; j < K; j++) {
        p[j] = product(query, keys + j, stride, d);
        high = choose(p[j] > high, p[j], high);
    }
    for (int j = 0; j < K; j++) total += p[j] = exponential(p[j] - high);
    *most = high;
    *share = 1.0f / total;
    for (int j = 0; j < K; j++) p[j] *= *share;
}

/* What every token of every region finds, found (R, K, A), in a table (M, 3A) of queries, keys and values. */
int region_attention(const float *table, int64_t M, const int64_t *rows, int64_t R, int K, int A, int heads, float *found,
                     int threads) {
    if (outside(rows, R * K, M)) return 1;
    const int d = A / heads, stride = (K + LANES - 1) / LANES * LANES;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t r = 0; r < R; r++) {
        float near[3 * MAX_A * MAX_K], joined[MAX_A * MAX_K];
        take(table, rows + r * K, K, A, heads, stride, near);
        for (int h = 0; h < heads; h++) {
            const float *query = near + h * d * stride, *key = query + A * stride, *value = key + A * stride;
            for (int i = 0; i < K; i += LANES) {
                lanes p[MAX_K], most, share;
                probabilities(query + i, key, K, stride, d, p, &most, &share);
                for (int e = 0; e < d; e++) {
                    lanes out = splat(0);
                    for (int j = 0; j < K; j++) out += p[j] * value[e * stride + j];
                    store(joined + (h * d + e) * stride + i, out);
                }
            }
        }
        for (int i = 0; i < K; i++)
            for (int a = 0; a < A; a++) found[(r * K + i) * A + a] = joined[a * stride + i];
    }
    return 0;
}

/* What the queries, keys and values of every region's tokens, near (R, K, 3A), get of the gradient (R, K, A).

   With q scaled, p the attention of query i to key j, and g what its result gets: v_j gets the sum over i of p g_i, the
   score of the two s = p (g_i v_j - mean over p of g_i v), q_i the sum over j of s k_j, and k_j that over i of s q_i. The
   first pass has queries in its lanes, the second keys, so that neither adds up across lanes. */
int region_attention_gradient(const float *gradient, const float *table, int64_t M, const int64_t *rows, int64_t R, int K,
                              int A, int heads, float *near_gradient, int threads) {
    if (outside(rows, R * K, M)) return 1;
    const int d = A / heads, stride = (K + LANES - 1) / LANES * LANES;
    const float scale = 1.0f / sqrtf((float)d);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t r = 0; r < R; r++) {
        const float *tokens[MAX_K];
        float near[3 * MAX_A * MAX_K], given[MAX_A * MAX_K], sent[3 * MAX_A * MAX_K];
        float most[MAX_K], share[MAX_K], mean[MAX_K];
        take(table, rows + r * K, K, A, heads, stride, near);
        for (int i = 0; i < K; i++) tokens[i] = gradient + (r * K + i) * A;
        turn(tokens, K, stride, A, given);
        for (int h = 0; h < heads; h++) {
            const int first = h * d * stride;
            const float *query = near + first, *key = query + A * stride, *value = key + A * stride;
            const float *g = given + first;
            float *to_query = sent + first, *to_key = to_query + A * stride, *to_value = to_key + A * stride;
            for (int i = 0; i < K; i += LANES) {
                lanes p[MAX_K], of_p[MAX_K], average = splat(0), high, part;
                probabilities(query + i, key, K, stride, d, p, &high, &part);
                for (int j = 0; j < K; j++) {
                    of_p[j] = product(g + i, value + j, stride, d);
                    average += p[j] * of_p[j];
                }
                for (int j = 0; j < K; j++) of_p[j] = p[j] * (of_p[j] - average); /* of the score now */
                for (int e = 0; e < d; e++) {
                    lanes to = splat(0);
                    for (int j = 0; j < K; j++) to += of_p[j] * key[e * stride + j];
                    store(to_query + e * stride + i, to * scale);
                }
                store(most + i, high);
                store(share + i, part);
                store(mean + i, average);
            }
            for (int j = 0; j < K; j += LANES) {
                lanes keys[MAX_HEAD], values[MAX_HEAD];
                for (int e = 0; e < d; e++) keys[e] = values[e] = splat(0);
                for (int i = 0; i < K; i++) {
                    const lanes p = exponential(product(key + j, query + i, stride, d) - most[i]) * share[i];
                    const lanes of_score = p * (product(value + j, g + i, stride, d) - mean[i]);
                    for (int e = 0; e < d; e++) {
                        keys[e] += of_score * query[e * stride + i];
                        values[e] += p * g[e * stride + i];
                    }
                }
                for (int e = 0; e < d; e++) {
                    store(to_key + e * stride + j, keys[e]);
                    store(to_value + e * stride + j, values[e]);
                }
            }
        }
        for (int i = 0; i < K; i++)
            for (int a = 0; a < 3 * A; a++) near_gradient[(r * K + i) * 3 * A + a] = sent[a * stride + i];
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
    const int width = (D + LANES - 1) / LANES * LANES;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t r = 0; r < R; r++) {
        float sums[MAX_K * MAX_D] = {0}, spare[MAX_D] = {0};
        for (int c = 0; c < C; c++) {
            const float *w = wide_row(weight, C, c, D, width, spare), g = gradient[r * C + c];
            float *to = sums + places[r * C + c] * width;
            for (int a = 0; a < width; a += LANES) store(to + a, load(to + a) + load(w + a) * g);
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
                for (int a = 0; a < width; a += LANES) store(to + a, load(to + a) + load(u + a) * g);
            }
        for (int l = 0; l < LANES; l++) memcpy(to_weight + (int64_t)(first + l) * D, sums + l * width, sizeof(float) * D);
    }
    return 0;
}
