/* Farthest point sampling for one processor with several cores; see fps.py.

   To be compiled without fused products and sums (-ffp-contract=off), so that every distance is rounded as in the plain
   form and the picks are its own. */

#include <math.h>

#include "vectors.h"

/* Whether a distance is the larger one; NaN is larger than any number, as for torch.argmax. */
static inline int above(float one, float other) { return one > other || (one != one && other == other); }

/* Picks (B, K) of clouds (B, N, 3), of equal distances the lowest index. ``space`` has room for (B, 4, N), N rounded up to
   16: coordinates and each point's distance to the nearest pick. */
int farthest_points(const float *points, int64_t B, int N, int K, float *space, int64_t *picks, int threads) {
    const int width = (N + 15) / 16 * 16;
#pragma omp parallel for num_threads(threads) schedule(dynamic)
    for (int64_t b = 0; b < B; b++) {
        float *x = space + b * 4 * width, *y = x + width, *z = y + width, *nearest = z + width;
        int last = 0;
        for (int i = 0; i < width; i++) {
            const float *point = points + (b * N + (i < N ? i : 0)) * 3;
            x[i] = point[0], y[i] = point[1], z[i] = point[2];
            nearest[i] = i < N ? INFINITY : -INFINITY; /* what fills the last vector is never picked */
        }
        picks[b * K] = 0;
        for (int k = 1; k < K; k++) {
            lanes farthest = splat(-INFINITY);
            ints index = {0};
            for (int i = 0; i < width; i += LANES) {
                const lanes dx = load(x + i) - x[last], dy = load(y + i) - y[last], dz = load(z + i) - z[last];
                const lanes distance = dx * dx + dy * dy + dz * dz, before = load(nearest + i);
                const lanes now = choose((distance < before) | (distance != distance), distance, before);
                const ints more = (now > farthest) | ((now != now) & (farthest == farthest));
                store(nearest + i, now);
                farthest = choose(more, now, farthest);
                index = (more & i) | (~more & index);
            }
            last = index[0];
            float most = farthest[0];
            for (int l = 1; l < LANES; l++) {
                const int candidate = index[l] + l;
                const int equal = farthest[l] == most || (farthest[l] != farthest[l] && most != most);
                if (above(farthest[l], most) || (equal && candidate < last)) {
                    most = farthest[l];
                    last = candidate;
                }
            }
            picks[b * K + k] = last;
        }
    }
    return 0;
}
