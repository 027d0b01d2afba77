"""The tuning methods' formulas in numpy, one cloud, region and head at a time."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy import ndarray

EPS = 1e-8


class Retrieved(NamedTuple):
    """Rows of a memory bank for one query, most similar first."""

    index: list[int]
    similarity: ndarray
    attended: ndarray
    values: ndarray
    query: ndarray


def retrieve(features: ndarray, query: ndarray, k: int, temperature: float) -> Retrieved:
    """Cosine similarity, the k best, their softmax-weighted mean; everything at length sqrt(C)."""
    length = math.sqrt(len(query))
    directions = [row / math.sqrt((row * row).sum()) for row in features]
    query = query / math.sqrt((query * query).sum())
    similarity = [float(np.dot(row, query)) for row in directions]
    best = sorted(range(len(similarity)), key=lambda row: -similarity[row])[:k]
    values = np.stack([directions[row] * length for row in best])
    weights = np.array([math.exp(similarity[row] / temperature) for row in best])
    attended = sum(weight * value for weight, value in zip(weights / weights.sum(), values))
    return Retrieved(best, np.array([similarity[row] for row in best]), attended, values, query * length)


def farthest(points: ndarray, count: int) -> list[int]:
    """Farthest point sampling from index 0."""
    picks = [0]
    while len(picks) < count:
        nearest = [min(((point - points[pick]) ** 2).sum() for pick in picks) for point in points]
        picks.append(int(np.argmax(nearest)))
    return picks


def interpolation(centers: ndarray, anchors: ndarray) -> ndarray:
    """Weights (G, S), each row inversely proportional to the squared distance and summing to one."""
    weights = np.array([[1 / (((c - a) ** 2).sum() + EPS) for a in anchors] for c in centers])
    return weights / weights.sum(axis=1, keepdims=True)


class LocalExchange(NamedTuple):
    """Weights and constants of one block's local interaction, in eval mode."""

    norm_weight: ndarray
    norm_bias: ndarray
    qkv: ndarray
    proj: ndarray
    proj_bias: ndarray
    heads: int
    pool_mean: ndarray
    pool_var: ndarray
    pool_weight: ndarray
    pool_bias: ndarray
    num_regions: int
    region_size: int
    center_scale: float
    propagation_scale: float

    def attend(self, tokens: ndarray) -> ndarray:
        """Self-attention among the tokens (K, C) of one region."""
        centred = tokens - tokens.mean(axis=1, keepdims=True)
        normed = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5)
        q, k, v = np.split((normed * self.norm_weight + self.norm_bias) @ self.qkv.T, 3, axis=1)
        out = np.zeros_like(q)
        width = q.shape[1] // self.heads
        for head in range(self.heads):
            part = slice(head * width, (head + 1) * width)
            scores = np.exp(q[:, part] @ k[:, part].T / math.sqrt(width))
            out[:, part] = scores / scores.sum(axis=1, keepdims=True) @ v[:, part]
        return out @ self.proj.T + self.proj_bias

    def exchange(self, tokens: ndarray, centers: ndarray) -> ndarray:
        """Regions, attention, pooling and propagation on the patch tokens (G, C) of one cloud."""
        anchors = farthest(centers, self.num_regions)
        regions = []
        for anchor in anchors:
            distance = ((centers - centers[anchor]) ** 2).sum(axis=1)
            near = tokens[np.argsort(distance, kind='stable')[: self.region_size]]
            pooled = (near + self.attend(near)).max(axis=0)
            pooled = (pooled - self.pool_mean) / np.sqrt(
                self.pool_var + 1e-5
            ) * self.pool_weight + self.pool_bias
            pooled = np.array([x * 0.5 * (1 + math.erf(x / math.sqrt(2))) for x in pooled])
            regions.append(pooled + self.center_scale * tokens[anchor])
        weights = interpolation(centers, centers[anchors])
        return tokens + self.propagation_scale * weights @ np.stack(regions)


def bottleneck(x: ndarray, down: ndarray, down_bias: ndarray, up: ndarray, up_bias: ndarray) -> ndarray:
    """Down-projection, x * sigmoid(1.702 x), up-projection."""
    hidden = x @ down.T + down_bias
    return hidden / (1 + np.exp(-1.702 * hidden)) @ up.T + up_bias
