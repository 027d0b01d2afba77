"""What a training step and an inference of a config cost, next to those of others."""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import init_default_scope
from rich.progress import track
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from ..backbones import PointBackbone
from ..engine.checkpoint import base_fingerprint, checkpoint_sizes
from ..engine.config import load_config
from ..engine.config.tiers import check_tiers
from ..engine.fitting import wrapper_of
from ..methods import fitted_methods
from ..registry import DATASETS, MODELS
from ..structures import PointDataSample

MEGABYTE = 2**20
RSS_UNIT = 1 if sys.platform == 'darwin' else 1024
"""Bytes per unit of ``ru_maxrss``."""

NUM_WARMUP = 1

Costs = dict[str, float]
"""``train_step_s``, ``infer_s`` (medians, seconds per batch), ``peak_mb`` (of training steps, above the idle process),
``train_step_gflops``, ``infer_gflops`` (per cloud, 2 per multiply-add), ``parameters``, ``trainable``, ``adapter_mb``,
``bank_mb`` (2**20 bytes that are stored per task)."""


@dataclass(frozen=True)
class Conditions:
    """What all configs are measured with.

    Attributes:
        batch_size (int): Clouds per step.
        num_points (int): Points of the random clouds; rooms have their own.
        bank_size (int): Clouds in the memory bank.
        threads (int): Of torch.
        device (str): Where.
        repeats (int): Of which the median counts.
    """

    batch_size: int = 8
    num_points: int = 2048
    bank_size: int = 11392
    threads: int = 2
    device: str = 'cpu'
    repeats: int = 7


class Contestant:
    """A model with its optimizer, all random, and a batch: random clouds, or rooms of a detector's own training set.

    Args:
        config (str): Config file or name.
        conditions (Conditions): Sizes and device.
    """

    def __init__(self, config: str, conditions: Conditions) -> None:
        cfg = load_config(config)
        check_tiers(cfg)
        init_default_scope('point_peft')
        torch.manual_seed(0)
        preprocessor = cfg.get('data_preprocessor')
        self.model: BaseModel = MODELS.build({'data_preprocessor': preprocessor, **cfg.model}).to(
            conditions.device
        )
        for method in fitted_methods(self.model).values():
            described = torch.randn(
                conditions.bank_size, wrapper_of(self.model, method).embed_dim, device=conditions.device
            )
            method.fit(partial(_given, described), range(conditions.bank_size))
        for module in self.model.modules():
            if isinstance(module, PointBackbone):  # of random weights nothing would be frozen in an adapter
                module.pretrained_names = list(module.state_dict())
        base_fingerprint(self.model)
        self.optim_wrapper: OptimWrapper = build_optim_wrapper(self.model, cfg.optim_wrapper)
        self.batch_size = conditions.batch_size
        self.detects = 'bbox_head' in cfg.model
        self.batch = (
            rooms(cfg, conditions.batch_size)
            if self.detects
            else clouds(conditions.batch_size, conditions.num_points)
        )
        self.device = conditions.device

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

    def sizes(self) -> Costs:
        """MB that are stored per task, after a training step."""
        sizes = checkpoint_sizes(self.model)
        return {'adapter_mb': sizes.adapter, 'bank_mb': sizes.fitted}

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


def measure_times(contestants: Mapping[str, Contestant], conditions: Conditions) -> dict[str, Costs]:
    """Median seconds of a training step and an inference, repeats interleaved over the contestants."""
    actions = {
        f'{name}|{what}': getattr(contestant, what)
        for name, contestant in contestants.items()
        for what in ('train_step', 'infer')
    }
    samples: dict[str, list[float]] = {key: [] for key in actions}
    for repeat in track(range(NUM_WARMUP + conditions.repeats), description='timing'):
        for key, action in actions.items():
            action()  # in a run, a step follows a step of its own kind
            seconds = timed(action, conditions.device)
            if repeat >= NUM_WARMUP:
                samples[key].append(seconds)
    return {
        name: {f'{what}_s': statistics.median(samples[f'{name}|{what}']) for what in ('train_step', 'infer')}
        for name in contestants
    }


def count_flops(contestant: Contestant) -> Costs:
    """GFLOPs (2 per multiply-add) per cloud of a training step and an inference."""
    result = {}
    for what in ('train_step', 'infer'):
        # The counter knows no fused attention on a CPU, but it knows the products that attention is made of.
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            getattr(contestant, what)()
        result[f'{what}_gflops'] = counter.get_total_flops() / contestant.batch_size / 1e9
    return result


def measure_memory(config: str, conditions: Conditions) -> float:
    """Peak MB of training steps above the idle process; run in a fresh process."""
    if conditions.device.startswith('cuda'):
        torch.cuda.reset_peak_memory_stats()
    idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    contestant = Contestant(config, conditions)
    for _ in range(NUM_WARMUP + 2):
        contestant.train_step()
    if conditions.device.startswith('cuda'):
        return torch.cuda.max_memory_allocated() / MEGABYTE
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - idle) * RSS_UNIT / MEGABYTE


def memory_in_own_process(config: str, conditions: Conditions) -> float:
    """Peak MB of a config, measured by a new process."""
    program = (
        f'from {__name__} import Conditions, measure_memory; import json, sys, torch; '
        'conditions = Conditions(**json.loads(sys.argv[2])); torch.set_num_threads(conditions.threads); '
        'print(measure_memory(sys.argv[1], conditions))'
    )
    command = [sys.executable, '-c', program, config, json.dumps(asdict(conditions))]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(output.strip().splitlines()[-1])


def measure_costs(configs: Sequence[str], conditions: Conditions) -> dict[str, Costs]:
    """Measure configs side by side.

    Times are medians of interleaved repeats in this process, so that a noisy machine disturbs all alike; the memory of
    each is that of a process of its own.

    Args:
        configs (Sequence[str]): Config files or names.
        conditions (Conditions): What they are measured with.

    Returns:
        dict[str, Costs]: In the order of the configs.
    """
    torch.set_num_threads(conditions.threads)
    memory = {
        config: memory_in_own_process(config, conditions) for config in track(configs, description='memory')
    }
    contestants = {config: Contestant(config, conditions) for config in configs}
    times = measure_times(contestants, conditions)
    return {
        config: {
            **times[config],
            'peak_mb': memory[config],
            **count_flops(contestant),
            **contestant.parameters(),
            **contestant.sizes(),
        }
        for config, contestant in contestants.items()
    }


def ratios(costs: Mapping[str, Costs], baseline: str) -> dict[str, Costs]:
    """Costs divided by those of one config; what it has none of is left out."""
    reference = costs[baseline]
    return {
        config: {key: round(value / reference[key], 4) for key, value in row.items() if reference[key]}
        for config, row in costs.items()
    }
