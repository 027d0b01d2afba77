/* Products with matrices of eight columns, as of low-rank updates, for one processor with several cores.

   The letters: many rows (M, N), a thin matrix of as many rows (M, 8), and a weight (N, 8), or across (8, N). N is a
   multiple of the widest vector. Rows are shared out in parts whose number does not depend on that of the threads, so
   neither do the sums. */

#include <stddef.h>

#include "vectors.h"

#define LINE 16 /* numbers of a line of the cache; rows are too short for a processor to foresee the next ones */
#define ROWS (LANES / 2) /* that are handled at a time: as many as registers have room for */

/* thin (rows, 8) = many @ weight. */
INLINE void project(const float *many, int rows, const float *weight, int N, float *thin) {
    eight sums[ROWS] = {{0}};
    for (int line = 0; line < N; line += LINE) {
        for (int m = 0; m < rows; m++) __builtin_prefetch(many + (int64_t)(rows + m) * N + line);
        for (int n = line; n < line + LINE; n++) {
            const eight w = load_eight(weight + (int64_t)n * EIGHT);
            for (int m = 0; m < rows; m++) sums[m] += many[(int64_t)m * N + n] * w;
        }
    }
    for (int m = 0; m < rows; m++) store_eight(thin + m * EIGHT, sums[m]);
}

/* sums (N, 8) += many^T @ thin. */
INLINE void add_products(const float *many, const float *thin, int rows, int N, float *sums) {
    eight values[ROWS];
    for (int m = 0; m < rows; m++) values[m] = load_eight(thin + m * EIGHT);
    for (int n = 0; n < N; n++) {
        eight sum = load_eight(sums + (int64_t)n * EIGHT);
        for (int m = 0; m < rows; m++) sum += many[(int64_t)m * N + n] * values[m];
        store_eight(sums + (int64_t)n * EIGHT, sum);
    }
}

/* result (rows, N) = many, if there is one, + thin @ across. */
INLINE void expand(const float *many, const float *thin, int rows, const float *across, int N, float *result) {
    for (int n = 0; n < N; n += LANES) {
        lanes sums[ROWS];
        for (int m = 0; m < rows; m++) sums[m] = many ? load(many + (int64_t)m * N + n) : splat(0);
        for (int r = 0; r < EIGHT; r++) {
            const lanes w = load(across + (int64_t)r * N + n);
            for (int m = 0; m < rows; m++) sums[m] += w * thin[m * EIGHT + r];
        }
        for (int m = 0; m < rows; m++) store(result + (int64_t)m * N + n, sums[m]);
    }
}

/* In one pass over the many rows: found (M, 8) = many @ weight, if there is a weight, and sums (parts, N, 8), zero
   before, of which the total is many^T @ thin, if there is a thin matrix. */
int thin_products(const float *many, int64_t M, int N, const float *weight, const float *thin, int parts, float *found,
                  float *sums, int threads) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int part = 0; part < parts; part++) {
        const int64_t stop = M * (part + 1) / parts;
        float *total = sums + (int64_t)part * N * EIGHT;
        for (int64_t m = M * part / parts; m < stop; m += ROWS) {
            const float *rows = many + m * N;
            if (stop - m >= ROWS) {
                if (weight) project(rows, ROWS, weight, N, found + m * EIGHT);
                if (thin) add_products(rows, thin + m * EIGHT, ROWS, N, total);
            } else {
                if (weight) project(rows, (int)(stop - m), weight, N, found + m * EIGHT);
                if (thin) add_products(rows, thin + m * EIGHT, (int)(stop - m), N, total);
            }
        }
    }
    return 0;
}

/* result (M, N) = many, if there is one, + thin @ across. */
int thin_expansion(const float *many, const float *thin, int64_t M, const float *across, int N, float *result,
                   int threads) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t m = 0; m < M; m += ROWS) {
        const float *rows = many ? many + m * N : NULL;
        if (M - m >= ROWS) expand(rows, thin + m * EIGHT, ROWS, across, N, result + m * N);
        else expand(rows, thin + m * EIGHT, (int)(M - m), across, N, result + m * N);
    }
    return 0;
}
