"""Compare configs by cost: ``python tools/analysis_tools/benchmark.py [CONFIG ...] [--json FILE]``.

The first config is the baseline. Times are medians of interleaved repeats in one process, so that a noisy machine
disturbs all alike; memory is the peak above the idle process, each config in a process of its own. Detectors get
rooms of their training set. What is printed last is JSON: absolute numbers per config, and ratios to the baseline.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import init_default_scope
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from point_peft.cli.arguments import at_least, check_output, device
from point_peft.cli.tool import run_tool
from point_peft.engine.config import load_config
from point_peft.engine.config.tiers import check_tiers
from point_peft.engine.fitting import wrapper_of
from point_peft.engine.runtime.device import check_device
from point_peft.methods import fitted_methods
from point_peft.registry import DATASETS, MODELS
from point_peft.structures import PointDataSample

DEFAULT_CONFIGS = (
    'configs/full/pointmae_scanobjnn.py',
    'linear_probe/pointmae_scanobjnn',
    'configs/point_peft/pointmae_scanobjnn.py',
)
MEGABYTE = 2**20
RSS_UNIT = 1 if sys.platform == 'darwin' else 1024
"""Bytes per unit of ``ru_maxrss``."""

NUM_WARMUP = 1


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Compare training step, inference, memory and FLOPs of configs'
    )
    parser.add_argument(
        'configs', nargs='*', default=list(DEFAULT_CONFIGS), help='configs; the first is the baseline'
    )
    parser.add_argument('--batch-size', type=at_least(1), default=8)
    parser.add_argument(
        '--num-points', type=at_least(1), default=2048, help='of random clouds; rooms have their own'
    )
    parser.add_argument('--bank-size', type=at_least(1), default=11392, help='clouds in the memory bank')
    parser.add_argument('--repeats', type=at_least(1), default=7)
    parser.add_argument('--threads', type=at_least(1), default=2)
    parser.add_argument('--device', type=device, default='cpu')
    parser.add_argument('--json', help='file to write the result to')
    parser.add_argument('--memory-only', action='store_true', help=argparse.SUPPRESS)
    return parser.parse_args()


class Contestant:
    """A model with its optimizer, all random, and a batch: random clouds, or rooms of a detector's own training set.

    Args:
        config (str): Config file.
        args (argparse.Namespace): Sizes and device.
    """

    def __init__(self, config: str, args: argparse.Namespace) -> None:
        cfg = load_config(config)
        check_tiers(cfg)
        init_default_scope('point_peft')
        torch.manual_seed(0)
        preprocessor = cfg.get('data_preprocessor')
        self.model: BaseModel = MODELS.build({'data_preprocessor': preprocessor, **cfg.model}).to(args.device)
        for method in fitted_methods(self.model).values():
            described = torch.randn(
                args.bank_size, wrapper_of(self.model, method).embed_dim, device=args.device
            )
            method.fit(partial(_given, described), range(args.bank_size))
        self.optim_wrapper: OptimWrapper = build_optim_wrapper(self.model, cfg.optim_wrapper)
        self.batch_size = args.batch_size
        self.detects = 'bbox_head' in cfg.model
        self.batch = rooms(cfg, args.batch_size) if self.detects else clouds(args.batch_size, args.num_points)
        self.device = args.device

    def train_step(self) -> None:
        """Augment, forward, backward, clip and step, as the Runner does."""
        self.model.train()
        self.model.train_step(self.batch, self.optim_wrapper)

    @torch.no_grad()
    def infer(self) -> Any:
        """Logits of the batch in eval mode, or the boxes of its rooms."""
        self.model.eval()
        if self.detects:
            return self.model.test_step(self.batch)
        points = torch.stack(self.batch['inputs']['points'])
        return self.model(dict(points=points.to(self.device)), mode='tensor')

    def parameters(self) -> dict[str, int]:
        """Number of parameters, and of those that are trained."""
        sizes = [(p.numel(), p.requires_grad) for p in self.model.parameters()]
        return {
            'parameters': sum(n for n, _ in sizes),
            'trainable': sum(n for n, trained in sizes if trained),
        }


def _given(described: Tensor, dataset: Any, tokens: Any) -> Tensor:
    """Descriptors that are not those of any clouds."""
    return described


def clouds(batch_size: int, num_points: int) -> dict[str, Any]:
    """Random clouds of one class, as a data loader gives them."""
    samples = [PointDataSample() for _ in range(batch_size)]
    for sample in samples:
        sample.gt_label = torch.tensor(0)
    return dict(inputs=dict(points=list(torch.randn(batch_size, num_points, 3))), data_samples=samples)


def rooms(cfg: Config, batch_size: int) -> dict[str, Any]:
    """The first rooms of the training set of a detector's config, repeated if there are too few."""
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    return pseudo_collate([dataset[index % len(dataset)] for index in range(batch_size)])


def timed(function: Callable[[], Any], device: str) -> float:
    """Seconds of one call, the device's queue included."""
    if device.startswith('cuda'):
        torch.cuda.synchronize()
    start = time.perf_counter()
    function()
    if device.startswith('cuda'):
        torch.cuda.synchronize()
    return time.perf_counter() - start


def measure_times(
    contestants: dict[str, Contestant], args: argparse.Namespace
) -> dict[str, dict[str, float]]:
    """Median seconds of a training step and an inference, repeats interleaved over the contestants."""
    from rich.progress import track

    actions = {
        f'{name}|{what}': getattr(contestant, what)
        for name, contestant in contestants.items()
        for what in ('train_step', 'infer')
    }
    samples: dict[str, list[float]] = {key: [] for key in actions}
    for repeat in track(range(NUM_WARMUP + args.repeats), description='timing'):
        for key, action in actions.items():
            action()  # in a run, a step follows a step of its own kind
            seconds = timed(action, args.device)
            if repeat >= NUM_WARMUP:
                samples[key].append(seconds)
    return {
        name: {f'{what}_s': statistics.median(samples[f'{name}|{what}']) for what in ('train_step', 'infer')}
        for name in contestants
    }


def count_flops(contestant: Contestant) -> dict[str, float]:
    """GFLOPs (2 per multiply-add) per cloud of a training step and an inference."""
    result = {}
    for what in ('train_step', 'infer'):
        # The counter knows no fused attention on a CPU, but it knows the products that attention is made of.
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            getattr(contestant, what)()
        result[f'{what}_gflops'] = counter.get_total_flops() / contestant.batch_size / 1e9
    return result


def measure_memory(config: str, args: argparse.Namespace) -> float:
    """Peak MB of training steps above the idle process; run in a fresh process."""
    if args.device.startswith('cuda'):
        torch.cuda.reset_peak_memory_stats()
    idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    contestant = Contestant(config, args)
    for _ in range(NUM_WARMUP + 2):
        contestant.train_step()
    if args.device.startswith('cuda'):
        return torch.cuda.max_memory_allocated() / MEGABYTE
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - idle) * RSS_UNIT / MEGABYTE


def memory_in_own_process(config: str, args: argparse.Namespace) -> float:
    """Start this tool again for one config and read its peak."""
    command = [sys.executable, __file__, config, '--memory-only', '--device', args.device]
    for name in ('batch_size', 'num_points', 'bank_size', 'threads'):
        command += [f'--{name.replace("_", "-")}', str(getattr(args, name))]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(output.strip().splitlines()[-1])


def main(args: argparse.Namespace) -> None:
    """Measure everything and print JSON."""
    args.device = check_device(args.device)
    if args.json:
        check_output(args.json, '--json')
    torch.set_num_threads(args.threads)
    if args.memory_only:
        print(measure_memory(args.configs[0], args))
        return
    memory = {config: memory_in_own_process(config, args) for config in args.configs}
    contestants = {config: Contestant(config, args) for config in args.configs}
    times = measure_times(contestants, args)
    rows = {
        config: {
            **times[config],
            'peak_mb': memory[config],
            **count_flops(contestant),
            **contestant.parameters(),
        }
        for config, contestant in contestants.items()
    }
    baseline = rows[args.configs[0]]
    ratios = {
        config: {key: round(value / baseline[key], 4) for key, value in row.items()}
        for config, row in rows.items()
    }
    settings = {
        name: getattr(args, name)
        for name in ('batch_size', 'num_points', 'bank_size', 'threads', 'device', 'repeats')
    }
    result = json.dumps(
        {'settings': settings, 'torch': torch.__version__, 'absolute': rows, 'ratios_to_first': ratios},
        indent=1,
    )
    if args.json:
        Path(args.json).parent.mkdir(parents=True, exist_ok=True)
        Path(args.json).write_text(result + '\n')
    print(result)


if __name__ == '__main__':
    arguments = parse_args()
    sys.exit(run_tool(main, arguments))
