/* A bottleneck of up to 16 channels beside its residual, for one processor with several cores: what lies between its
   layers stays in the cache.

   The letters: tokens (M, N), N a multiple of the widest vector; W channels inside, of which the last may be zeros;
   down (N, W) or (W, N) and up (W, N) or (N, W), in the order in which loops read them; kept (M, W), what dropout
   multiplies by.
   Rows are shared out in parts whose number does not depend on that of the threads, so neither do the sums. */

#include <stddef.h>

#include "vectors.h"

#define W 16
#define LINE 16 /* numbers of a line of the cache; rows are too short for a processor to foresee the next ones */
#define ROWS (LANES / 2) /* that are handled at a time: as many as registers have room for */
#define SLOPE 1.702f     /* of the sigmoid in QuickGELU */

typedef float inner __attribute__((vector_size(4 * W)));
typedef float loose_inner __attribute__((vector_size(4 * W), aligned(4), may_alias));

#define INNER(address) (*(loose_inner *)(address)) /* no function, as half of the processors could not return it */

/* sums (rows) of tokens @ weight (N, W). */
INLINE void project(const float *tokens, int rows, const float *weight, int N, inner *sums) {
    for (int m = 0; m < rows; m++) sums[m] = (inner){0};
    for (int line = 0; line < N; line += LINE) {
        for (int m = 0; m < rows; m++) __builtin_prefetch(tokens + (int64_t)(rows + m) * N + line);
        for (int n = line; n < line + LINE; n++) {
            const inner w = INNER(weight + (int64_t)n * W);
            for (int m = 0; m < rows; m++) sums[m] += tokens[(int64_t)m * N + n] * w;
        }
    }
}

/* result (rows, N) = tokens + values (rows) @ across (W, N), and the bias (N) where there is one. */
INLINE void add_expanded(const float *tokens, const inner *values, int rows, const float *across, const float *bias,
                         int N, float *result) {
    for (int n = 0; n < N; n += LANES) {
        const lanes start = bias ? load(bias + n) : splat(0);
        lanes sums[ROWS];
        for (int m = 0; m < rows; m++) sums[m] = load(tokens + (int64_t)m * N + n) + start;
        for (int w = 0; w < W; w++) {
            const lanes row = load(across + (int64_t)w * N + n);
            for (int m = 0; m < rows; m++) sums[m] += row * values[m][w];
        }
        for (int m = 0; m < rows; m++) store(result + (int64_t)m * N + n, sums[m]);
    }
}

/* sums (N, W) += tokens^T @ values (rows), and totals (N) += the tokens where there are totals. */
INLINE void add_products(const float *tokens, const inner *values, int rows, int N, float *sums, float *totals) {
    for (int n = 0; n < N; n++) {
        inner sum = INNER(sums + (int64_t)n * W);
        for (int m = 0; m < rows; m++) sum += tokens[(int64_t)m * N + n] * values[m];
        INNER(sums + (int64_t)n * W) = sum;
    }
    for (int n = 0; totals && n < N; n += LANES) {
        lanes sum = load(totals + n);
        for (int m = 0; m < rows; m++) sum += load(tokens + (int64_t)m * N + n);
        store(totals + n, sum);
    }
}

/* QuickGELU of what is before it, and its slope there. */
INLINE void activate(const float *before, inner *value, inner *slope) {
    const inner x = INNER(before);
    float from[W], to[W];
    INNER(from) = x * SLOPE;
    for (int w = 0; w < W; w += LANES) {
        const lanes z = load(from + w);
        const lanes small = exponential(choose(z < splat(0), z, -z));
        store(to + w, choose(z < splat(0), small, splat(1)) / (small + 1.0f));
    }
    const inner share = INNER(to);
    *value = x * share;
    *slope = share + x * SLOPE * share * (1.0f - share);
}

INLINE void forward(const float *tokens, int rows, int N, const float *down, const float *down_bias,
                    const float *kept, const float *up, const float *up_bias, float *before, float *result) {
    inner values[ROWS], slope;
    project(tokens, rows, down, N, values);
    for (int m = 0; m < rows; m++) {
        values[m] += INNER(down_bias);
        INNER(before + m * W) = values[m];
        activate(before + m * W, &values[m], &slope);
        if (kept) values[m] *= INNER(kept + m * W);
    }
    add_expanded(tokens, values, rows, up, up_bias, N, result);
}

INLINE void backward(const float *gradient, const float *tokens, int rows, int N, const float *down,
                     const float *kept, const float *up, const float *before, float *result, float *of_down,
                     inner *of_down_bias, float *of_up, float *of_up_bias) {
    inner values[ROWS], slopes[ROWS];
    project(gradient, rows, up, N, slopes);
    for (int m = 0; m < rows; m++) {
        inner slope;
        activate(before + m * W, &values[m], &slope);
        if (kept) values[m] *= INNER(kept + m * W), slope *= INNER(kept + m * W);
        slopes[m] *= slope;
        *of_down_bias += slopes[m];
    }
    add_products(gradient, values, rows, N, of_up, of_up_bias);
    add_products(tokens, slopes, rows, N, of_down, NULL);
    add_expanded(gradient, slopes, rows, down, NULL, N, result);
}

/* result (M, N) = tokens + bottleneck, and before (M, W), what is activated; down is (N, W), up (W, N). */
int bottleneck(const float *tokens, int64_t M, int N, const float *down, const float *down_bias, const float *kept,
               const float *up, const float *up_bias, float *before, float *result, int threads) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t m = 0; m < M; m += ROWS) {
        const float *rows = tokens + m * N, *some = kept ? kept + m * W : NULL;
        if (M - m >= ROWS) forward(rows, ROWS, N, down, down_bias, some, up, up_bias, before + m * W, result + m * N);
        else forward(rows, (int)(M - m), N, down, down_bias, some, up, up_bias, before + m * W, result + m * N);
    }
    return 0;
}

/* The gradient of the tokens (M, N), and in parts, zero before, those of down (N, W), its bias (W), up (N, W) and its
   bias (N); here down is (W, N), up (N, W). */
int bottleneck_gradient(const float *gradient, const float *tokens, int64_t M, int N, const float *down,
                        const float *kept, const float *up, const float *before, int parts, float *result,
                        float *of_down, float *of_down_bias, float *of_up, float *of_up_bias, int threads) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int part = 0; part < parts; part++) {
        const int64_t stop = M * (part + 1) / parts, sums = (int64_t)part * N * W;
        inner bias = {0};
        for (int64_t m = M * part / parts; m < stop; m += ROWS) {
            const float *some = kept ? kept + m * W : NULL;
            if (stop - m >= ROWS)
                backward(gradient + m * N, tokens + m * N, ROWS, N, down, some, up, before + m * W, result + m * N,
                         of_down + sums, &bias, of_up + sums, of_up_bias + (int64_t)part * N);
            else
                backward(gradient + m * N, tokens + m * N, (int)(stop - m), N, down, some, up, before + m * W,
                         result + m * N, of_down + sums, &bias, of_up + sums, of_up_bias + (int64_t)part * N);
        }
        INNER(of_down_bias + (int64_t)part * W) = bias;
    }
    return 0;
}
