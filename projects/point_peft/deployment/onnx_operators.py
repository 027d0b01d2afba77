"""The operators of this package as ONNX graphs: loops over picks stay loops, so 512 picks are a dozen nodes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from onnxscript import FLOAT, INT64, script
from onnxscript import opset18 as op


@script(default_opset=op)
def farthest_point_sample(points: FLOAT[...], num_samples: int) -> INT64[...]:
    """Points (B, N, 3) -> (B, num_samples), as :func:`point_peft.ops.farthest_point_sample`."""
    count = op.Constant(value_int=num_samples)
    batch = op.Shape(points, start=0, end=1)
    x, y, z = op.Split(points, axis=2, num_outputs=3)
    last = op.Expand(op.Constant(value_ints=[0]), op.Concat(batch, op.Constant(value_ints=[1]), axis=0))
    steps = op.Unsqueeze(op.Range(op.Constant(value_int=0), count, op.Constant(value_int=1)), [0])
    picks = op.Expand(op.Constant(value_ints=[0]), op.Concat(batch, op.Shape(steps, start=1), axis=0))
    nearest = op.Expand(op.Constant(value_floats=[3.0e38]), op.Shape(x))
    for step in range(count - 1):
        at = op.Unsqueeze(last, [2])
        dx = x - op.GatherElements(x, at, axis=1)
        dy = y - op.GatherElements(y, at, axis=1)
        dz = z - op.GatherElements(z, at, axis=1)
        nearest = op.Min(nearest, dx * dx + dy * dy + dz * dz)
        last = op.Squeeze(op.ArgMax(nearest, axis=1), [2])
        picks = op.Where(op.Equal(steps, step + 1), last, picks)
    return picks


def squared_distance(query: Any, support: Any) -> Any:
    """(B, M, 3), (B, N, 3) -> (B, M, N), by exact differences of coordinates."""
    across = op.Transpose(support, perm=[0, 2, 1])
    x, y, z = (
        op.Sub(
            op.Gather(query, op.Constant(value_ints=[axis]), axis=2),
            op.Gather(across, op.Constant(value_ints=[axis]), axis=1),
        )
        for axis in range(3)
    )
    return op.Add(op.Add(op.Mul(x, x), op.Mul(y, y)), op.Mul(z, z))


def knn(query: Any, support: Any, k: int) -> Any:
    """Queries (B, M, 3), supports (B, N, 3) -> (B, M, k), nearest first."""
    _, index = op.TopK(squared_distance(query, support), op.Constant(value_ints=[k]), axis=2, largest=0)
    return index


@script(default_opset=op)
def visit(distance: FLOAT[...]) -> INT64[...]:
    """Distances (B, G, G) -> (B, G): from the first on, each time the nearest that has not been visited."""
    size = op.Shape(distance, start=1, end=2)
    count = op.Squeeze(size, [0])
    places = op.Unsqueeze(op.Range(op.Constant(value_int=0), count, op.Constant(value_int=1)), [0])
    batch = op.Shape(distance, start=0, end=1)
    last = op.Expand(op.Constant(value_ints=[0]), op.Concat(batch, op.Constant(value_ints=[1]), axis=0))
    order = op.Expand(op.Constant(value_ints=[0]), op.Concat(batch, size, axis=0))
    left = op.Expand(op.Constant(value_floats=[0.0]), op.Shape(order))
    for step in range(count - 1):
        left = op.Where(op.Equal(places, last), op.Constant(value_floats=[3.0e38]), left)
        row = op.Expand(op.Unsqueeze(last, [2]), op.Concat(batch, op.Constant(value_ints=[1]), size, axis=0))
        from_last = op.Max(op.Squeeze(op.GatherElements(distance, row, axis=1), [1]), left)
        last = op.ArgMin(from_last, axis=1)
        order = op.Where(op.Equal(places, step + 1), last, order)
    return order


def greedy_order(points: Any) -> Any:
    """Points (B, G, 3) -> (B, G), as :func:`point_peft.ops.greedy_order`."""
    return visit(squared_distance(points, points))


def region_maxima(table: Any, rows: Any, update: Any, weight: Any) -> Any:
    """Table (M, C), rows (R, K), update (R, K, D), weight (C, D) -> maxima (R, C)."""
    near = op.Add(op.Gather(table, rows, axis=0), op.MatMul(update, op.Transpose(weight, perm=[1, 0])))
    return op.ReduceMax(near, op.Constant(value_ints=[1]), keepdims=0)


def weighted_rows(table: Any, rows: Any, weights: Any) -> Any:
    """Table (M, C), rows (R, K), weights (R, K) -> sums (R, C); one neighbour after the other, never (R, K, C)."""
    parts = [
        op.Mul(
            op.Gather(table, op.Gather(rows, op.Constant(value_int=k), axis=1), axis=0),
            op.Gather(weights, op.Constant(value_ints=[k]), axis=1),
        )
        for k in range(rows.shape[1])
    ]
    return functools.reduce(op.Add, parts)


def translations() -> dict[Any, Callable]:
    """Operators of ``torch.ops.point_peft`` and their graphs, as ``torch.onnx.export`` takes them."""
    own = torch.ops.point_peft
    return {
        own.farthest_point_sample.default: farthest_point_sample,
        own.knn.default: knn,
        own.greedy_order.default: greedy_order,
        own.region_maxima.default: region_maxima,
        own.weighted_rows.default: weighted_rows,
    }
