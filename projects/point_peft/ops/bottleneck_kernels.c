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

/* result (rows, N) = tokens + values (rows) @ across (W, N), and the scaled bias (N) where there is one. */
INLINE void add_expanded(const float *tokens, const inner *values, int rows, const float *across, const float *bias,
                         float scale, int N, float *result) {
    for (int n = 0; n < N; n += LANES) {
        const lanes start = bias ? load(bias + n) * scale : splat(0);
        lanes sums[ROWS];
        for (int m = 0; m < rows; m++) sums[m] = load(tokens + (int64_t)m * N + n) + start;
        for (int w = 0; w < W; w++) {
            const lanes row = load(across + (int64_t)w * N + n);
            for (int m = 0; m < rows; m++) sums[m] += row * values[m][w];
        }
        for (int m = 0; m < rows; m++) store(result + (int64_t)m * N + n, sums[m]);
    }
}

/* sums (N, W) += tokens^T @ values (rows). */
INLINE void add_products(const float *tokens, const inner *values, int rows, int N, float *sums) {
    for (int n = 0; n < N; n++) {
        inner sum = INNER(sums + (int64_t)n * W);
        for (int m = 0; m < rows; m++) sum += tokens[(int64_t)m * N + n] * values[m];
        INNER(sums + (int64_t)n * W) = sum;
    }
}

/* totals (N) += the scaled tokens. */
INLINE void add_rows(const float *tokens, int rows, float scale, int N, float *totals) {
    for (int n = 0; n < N; n += LANES) {
        lanes sum = splat(0);
        for (int m = 0; m < rows; m++) sum += load(tokens + (int64_t)m * N + n);
        store(totals + n, load(totals + n) + sum * scale);
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
                    const float *kept, const float *up, const float *up_bias, float scale, float *before,
                    float *result) {
    inner values[ROWS], slope;
    project(tokens, rows, down, N, values);
    for (int m = 0; m < rows; m++) {
        INNER(before + m * W) = values[m] + INNER(down_bias);
        activate(before + m * W, &values[m], &slope);
        values[m] *= scale;
        if (kept) values[m] *= INNER(kept + m * W);
    }
    add_expanded(tokens, values, rows, up, up_bias, scale, N, result);
}

/* The gradient of the tokens, and sums += those of down (N, W), up (N, W), the bias of down (W) and that of up (N). */
INLINE void backward(const float *gradient, const float *tokens, int rows, int N, const float *down,
                     const float *kept, const float *up, float scale, const float *before, float *result,
                     float *sums) {
    float *of_up = sums + (int64_t)N * W, *of_down_bias = of_up + (int64_t)N * W;
    inner values[ROWS], slopes[ROWS];
    project(gradient, rows, up, N, slopes);
    for (int m = 0; m < rows; m++) {
        inner slope;
        activate(before + m * W, &values[m], &slope);
        values[m] *= scale, slope *= scale;
        if (kept) values[m] *= INNER(kept + m * W), slope *= INNER(kept + m * W);
        slopes[m] *= slope;
        INNER(of_down_bias) += slopes[m];
    }
    add_products(gradient, values, rows, N, of_up);
    add_products(tokens, slopes, rows, N, sums);
    add_rows(gradient, rows, scale, N, of_down_bias + W);
    add_expanded(gradient, slopes, rows, down, NULL, 0, N, result);
}

/* result (M, N) = tokens + scale * bottleneck, and before (M, W), what is activated; down is (N, W), up (W, N). */
int bottleneck(const float *tokens, int64_t M, int N, const float *down, const float *down_bias, const float *kept,
               const float *up, const float *up_bias, float scale, float *before, float *result, int threads) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t m = 0; m < M; m += ROWS) {
        const float *rows = tokens + m * N, *some = kept ? kept + m * W : NULL;
        float *inside = before + m * W, *found = result + m * N;
        if (M - m >= ROWS) forward(rows, ROWS, N, down, down_bias, some, up, up_bias, scale, inside, found);
        else forward(rows, (int)(M - m), N, down, down_bias, some, up, up_bias, scale, inside, found);
    }
    return 0;
}

/* The gradients of the tokens (M, N), of down (width, N), its bias (width), up (N, width) and its bias (N), which are
   added up in parts, zero before; here down is (W, N), up (N, W). */
int bottleneck_gradient(const float *gradient, const float *tokens, int64_t M, int N, const float *down,
                        const float *kept, const float *up, float scale, const float *before, int parts,
                        float *sums, int width, float *result, float *of_down, float *of_down_bias, float *of_up,
                        float *of_up_bias, int threads) {
    const int64_t weights = (int64_t)N * W, size = 2 * weights + W + N;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int part = 0; part < parts; part++) {
        const int64_t stop = M * (part + 1) / parts;
        float *own = sums + part * size;
        for (int64_t m = M * part / parts; m < stop; m += ROWS) {
            const float *sent = gradient + m * N, *rows = tokens + m * N, *some = kept ? kept + m * W : NULL;
            const float *inside = before + m * W;
            if (stop - m >= ROWS) backward(sent, rows, ROWS, N, down, some, up, scale, inside, result + m * N, own);
            else backward(sent, rows, (int)(stop - m), N, down, some, up, scale, inside, result + m * N, own);
        }
    }
    for (int part = 1; part < parts; part++) INNER(sums + 2 * weights) += INNER(sums + part * size + 2 * weights);
    for (int w = 0; w < width; w++) of_down_bias[w] = sums[2 * weights + w];
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int n = 0; n < N; n++) {
        inner first = {0}, second = {0};
        of_up_bias[n] = 0;
        for (int part = 0; part < parts; part++) {
            const float *own = sums + part * size;
            first += INNER(own + (int64_t)n * W);
            second += INNER(own + weights + (int64_t)n * W);
            of_up_bias[n] += own[2 * weights + W + n];
        }
        for (int w = 0; w < width; w++) {
            of_down[(int64_t)w * N + n] = first[w];
            of_up[(int64_t)n * width + w] = second[w];
        }
    }
    return 0;
}
