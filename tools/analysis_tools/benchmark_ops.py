"""Time every point operation against its plain form and against each back end that is installed."""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import sys
from collections.abc import Callable, Iterator

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn import functional as F
from torch.utils.benchmark import Timer

from point_peft.cli.arguments import at_least, check_output, device, path
from point_peft.cli.tool import run_tool
from point_peft.engine.runtime.device import check_device
from point_peft.ops import (
    add_bottleneck,
    add_projected_up,
    chamfer_distance,
    farthest_point_sample,
    farthest_point_sample_loop,
    flat_rows,
    gather,
    knn,
    linear,
    project_down,
    quick_gelu,
    region_attention,
    region_max_pool,
    self_attention,
    take_rows,
    three_nn,
    weighted_gather,
)
from point_peft.ops.fps import mmcv_sampler, quickfps_sampler

MAX_PAIRS = 2**26
"""Pairs that a plain form may hold at once (256 MiB of float32); larger cases with such a form are left out."""

FEATURE_WIDTH = 384

REGION_SIZE, ATTN_WIDTH, NUM_HEADS = 16, 18, 6
"""Neighbours, width and heads of the attention in Point-PEFT's adapter."""

HIDDEN_WIDTH, RANK = 4 * FEATURE_WIDTH, 8
"""Output of a transformer's first feed-forward layer, and rank of LoRA's update of it."""

Candidates = dict[str, Callable[[], object]]


@dataclasses.dataclass(frozen=True)
class Timing:
    """One row of the report; ``ratio`` is the time divided by that of the first back end of the same case."""

    op: str
    backend: str
    num_points: int
    milliseconds: float
    ratio: float


def main(args: argparse.Namespace) -> list[Timing]:
    """Run the benchmark, print the table and write the JSON if asked.

    Args:
        args (argparse.Namespace): The command line.

    Returns:
        list[Timing]: All rows, in the order of the table.

    Raises:
        PointPEFTError: This machine does not have the device, or the JSON cannot be written.
    """
    args.device = check_device(args.device)
    if args.json:
        check_output(args.json, '--json')
    torch.manual_seed(0)
    cases = [(op, num_points) for num_points in args.points for op in args.ops]
    timings = [timing for case in cases for timing in measure(*case, args)]
    print_table(timings, args)
    if args.json:
        report = {
            'torch': torch.__version__,
            'settings': {name: value for name, value in vars(args).items() if name != 'json'},
            'timings': [dataclasses.asdict(timing) for timing in timings],
        }
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(report, indent=2) + '\n')
    return timings


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line, or the words that are given instead."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument(
        '--points', type=at_least(1), nargs='+', default=[1024, 2048, 8192, 40000], help='points per cloud'
    )
    parser.add_argument('--ops', nargs='+', default=list(OPS), choices=list(OPS), help='operations to time')
    parser.add_argument('--batch', type=at_least(1), default=4, help='clouds per batch')
    parser.add_argument('--samples', type=at_least(1), default=128, help='FPS picks, queries of the others')
    parser.add_argument('--neighbors', type=at_least(1), default=32, help='neighbours of each query')
    parser.add_argument('--device', type=device, default='auto', help='cpu, cuda, cuda:1 ... or auto')
    parser.add_argument('--threads', type=at_least(1), default=1, help='CPU threads')
    parser.add_argument('--min-run-time', type=float, default=0.2, help='seconds spent on each row')
    parser.add_argument('--json', type=path, help='file to write the rows to')
    return parser.parse_args(arguments)


def measure(op: str, num_points: int, args: argparse.Namespace) -> Iterator[Timing]:
    """Time all back ends of one operation on the same input.

    Args:
        op (str): Key of ``OPS``.
        num_points (int): N, points per cloud.
        args (argparse.Namespace): The command line.

    Yields:
        Timing: One row per back end, the plain form first.
    """
    points = torch.rand(args.batch, num_points, 3, device=args.device)
    base = None
    for backend, run in OPS[op](points, args).items():
        timer = Timer('run()', globals={'run': run}, num_threads=args.threads)
        milliseconds = timer.blocked_autorange(min_run_time=args.min_run_time).median * 1e3
        base = base or milliseconds
        yield Timing(op, backend, num_points, milliseconds, milliseconds / base)


def fps_candidates(points: Tensor, args: argparse.Namespace) -> Candidates:
    """Farthest point sampling: the torch loop, each compiled back end that is installed, and ours."""
    candidates: Candidates = {'loop': lambda: farthest_point_sample_loop(points, args.samples)}
    name, sample = ('mmcv', mmcv_sampler()) if points.is_cuda else ('torch_quickfps', quickfps_sampler())
    if sample is not None:
        candidates[name] = functools.partial(sample, points, args.samples)
    candidates['point_peft'] = lambda: farthest_point_sample(points, args.samples)
    return candidates


def knn_candidates(points: Tensor, args: argparse.Namespace) -> Candidates:
    """k nearest neighbours: one exact matrix, the matrix-product expansion, and ours."""
    query, k = points[:, : args.samples].contiguous(), args.neighbors

    def cdist(compute_mode: str) -> Tensor:
        return torch.cdist(query, points, compute_mode=compute_mode).topk(k, largest=False).indices

    return {
        'cdist exact': lambda: cdist('donot_use_mm_for_euclid_dist'),
        'cdist matmul': lambda: cdist('use_mm_for_euclid_dist'),
        'point_peft': lambda: knn(query, points, k),
    }


def three_nn_candidates(points: Tensor, args: argparse.Namespace) -> Candidates:
    """Three neighbours of every point among the centers: a full sort, as PointNet++ code does, and ours."""
    support = points[:, : args.samples].contiguous()
    return {
        'sort': lambda: torch.cdist(points, support).square().sort(-1),
        'point_peft': lambda: three_nn(points, support),
    }


def interpolate_candidates(points: Tensor, args: argparse.Namespace) -> Candidates:
    """Features of the centers carried to every point, forward and backward: a matrix of all pairs, and ours."""
    if points.shape[0] * points.shape[1] * args.samples > MAX_PAIRS:
        return {}
    support = points[:, : args.samples].contiguous()
    features = points.new_empty(*support.shape[:2], FEATURE_WIDTH).normal_().requires_grad_()
    index, weights = three_nn(points, support)

    def matrix() -> Tensor:
        return weights.new_zeros(*points.shape[:2], args.samples).scatter_(2, index, weights) @ features

    return {
        'matrix': lambda: torch.autograd.grad(matrix().sum(), features),
        'point_peft': lambda: torch.autograd.grad(weighted_gather(features, index, weights).sum(), features),
    }


def gather_candidates(points: Tensor, args: argparse.Namespace) -> Candidates:
    """Look-up of token features, forward and backward: ``torch.gather`` and ours."""
    features = points.new_empty(points.shape[0], args.samples, FEATURE_WIDTH).normal_().requires_grad_()
    index = torch.randint(args.samples, points.shape[:2], device=points.device)
    wide = index.unsqueeze(-1).expand(-1, -1, FEATURE_WIDTH)
    return {
        'torch.gather': lambda: torch.autograd.grad(features.gather(1, wide).sum(), features),
        'point_peft': lambda: torch.autograd.grad(gather(features, index).sum(), features),
    }


def region_candidates(points: Tensor, args: argparse.Namespace) -> Candidates:
    """Attention and pooling in regions around half of the centers, forward and backward: all neighbours, and ours."""
    centers = points[:, : args.samples].contiguous()
    regions = centers[:, : max(1, args.samples // 2)].contiguous()
    rows = flat_rows(knn(regions, centers, min(REGION_SIZE, args.samples)), centers.shape[1])
    tokens, qkv, weight = (
        points.new_empty(shape).normal_().requires_grad_()
        for shape in (
            (*centers.shape[:2], FEATURE_WIDTH),
            (*centers.shape[:2], 3 * ATTN_WIDTH),
            (FEATURE_WIDTH, ATTN_WIDTH),
        )
    )

    def neighborhoods() -> Tensor:
        near = take_rows(qkv, rows).unflatten(3, (3, NUM_HEADS, -1)).permute(3, 0, 1, 4, 2, 5)
        query, key, value = near  # (B, S, heads, K, d)
        shares = (query @ key.mT * query.shape[-1] ** -0.5).softmax(-1)
        update = (shares @ value).transpose(2, 3).flatten(3)
        return (take_rows(tokens, rows) + update @ weight.T).amax(2)

    def ours() -> Tensor:
        return region_max_pool(tokens, rows, region_attention(qkv, rows, NUM_HEADS), weight)

    return {
        'neighborhoods': lambda: torch.autograd.grad(neighborhoods().sum(), (tokens, qkv, weight)),
        'point_peft': lambda: torch.autograd.grad(ours().sum(), (tokens, qkv, weight)),
    }


def low_rank_candidates(points: Tensor, args: argparse.Namespace) -> Candidates:
    """A low-rank update of a wide layer's output for every center, forward and backward: general products, and ours."""
    shapes = (
        (points.shape[0], args.samples, FEATURE_WIDTH),
        (points.shape[0], args.samples, HIDDEN_WIDTH),
        (RANK, FEATURE_WIDTH),
        (HIDDEN_WIDTH, RANK),
    )
    x, output, down, up = inputs = [points.new_empty(shape).normal_().requires_grad_() for shape in shapes]
    gradient = torch.randn_like(output)
    return {
        'products': lambda: torch.autograd.grad(output + x @ down.T @ up.T, inputs, gradient),
        'point_peft': lambda: torch.autograd.grad(
            add_projected_up(output, project_down(x, down), up), inputs, gradient
        ),
    }


def bottleneck_candidates(points: Tensor, args: argparse.Namespace) -> Candidates:
    """Point-PEFT's bottleneck beside its residual, forward and backward: layer by layer, and ours."""
    width = 2 * RANK
    shapes = (
        (points.shape[0], args.samples, FEATURE_WIDTH),
        (width, FEATURE_WIDTH),
        (width,),
        (FEATURE_WIDTH, width),
        (FEATURE_WIDTH,),
    )
    inputs = [points.new_empty(shape).normal_().requires_grad_() for shape in shapes]
    x, down, down_bias, up, up_bias = inputs
    gradient = torch.randn_like(x)

    def layers() -> Tensor:
        return x + F.linear(quick_gelu(F.linear(x, down, down_bias)), up, up_bias)

    return {
        'layers': lambda: torch.autograd.grad(layers(), inputs, gradient),
        'point_peft': lambda: torch.autograd.grad(add_bottleneck(*inputs), inputs, gradient),
    }


def linear_candidates(points: Tensor, args: argparse.Namespace) -> Candidates:
    """A frozen wide layer for every center, forward and backward: torch's, and ours."""
    x = points.new_empty(points.shape[0], args.samples, FEATURE_WIDTH).normal_().requires_grad_()
    weight = points.new_empty(HIDDEN_WIDTH, FEATURE_WIDTH).normal_()
    gradient = points.new_empty(*x.shape[:2], HIDDEN_WIDTH).normal_()
    return {
        'F.linear': lambda: torch.autograd.grad(F.linear(x, weight), x, gradient),
        'point_peft': lambda: torch.autograd.grad(linear(x, weight), x, gradient),
    }


def attention_candidates(points: Tensor, args: argparse.Namespace) -> Candidates:
    """Attention of all centers to all, forward and backward: products and softmax, torch's fused one, and ours."""
    shape = (points.shape[0], args.samples, 3, NUM_HEADS, FEATURE_WIDTH // NUM_HEADS)
    qkv = points.new_empty(shape).normal_().requires_grad_()
    gradient = torch.randn_like(qkv[:, :, 0])

    def fused() -> Tensor:
        return F.scaled_dot_product_attention(*qkv.permute(2, 0, 3, 1, 4)).transpose(1, 2)

    def products() -> Tensor:
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        shares = (query * query.shape[-1] ** -0.5 @ key.mT).softmax(-1)
        return (shares @ value).transpose(1, 2)

    return {
        'products': lambda: torch.autograd.grad(products(), qkv, gradient),
        'fused': lambda: torch.autograd.grad(fused(), qkv, gradient),
        'point_peft': lambda: torch.autograd.grad(self_attention(qkv), qkv, gradient),
    }


def chamfer_candidates(points: Tensor, args: argparse.Namespace) -> Candidates:
    """Chamfer distance, forward and backward: one matrix of distances, and ours."""
    if points.shape[0] * points.shape[1] ** 2 > MAX_PAIRS:
        return {}
    a, b = points.clone().requires_grad_(), torch.rand_like(points)

    def matrix() -> Tensor:
        squared = torch.cdist(a, b).square()
        return squared.amin(1).mean() + squared.amin(2).mean()

    return {
        'matrix': lambda: torch.autograd.grad(matrix(), a),
        'point_peft': lambda: torch.autograd.grad(chamfer_distance(a, b), a),
    }


def print_table(timings: list[Timing], args: argparse.Namespace) -> None:
    """Print the rows; a ratio below one is faster than the plain form."""
    title = f'{args.batch} clouds on {args.device}, {args.threads} thread(s), torch {torch.__version__}'
    table = Table(title=title)
    for column in ('op', 'points', 'back end', 'ms', 'ratio'):
        table.add_column(column, justify='left' if column in ('op', 'back end') else 'right')
    for row in timings:
        table.add_row(row.op, str(row.num_points), row.backend, f'{row.milliseconds:.3f}', f'{row.ratio:.2f}')
    Console().print(table)


OPS: dict[str, Callable[[Tensor, argparse.Namespace], Candidates]] = {
    'fps': fps_candidates,
    'knn': knn_candidates,
    'three_nn': three_nn_candidates,
    'interpolate': interpolate_candidates,
    'gather': gather_candidates,
    'regions': region_candidates,
    'low_rank': low_rank_candidates,
    'bottleneck': bottleneck_candidates,
    'linear': linear_candidates,
    'attention': attention_candidates,
    'chamfer': chamfer_candidates,
}
"""Operation name to the back ends to compare; the first of each is the plain form, ratio 1."""

if __name__ == '__main__':
    sys.exit(run_tool(main, parse_args()))
