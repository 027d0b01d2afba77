"""What a training step and an inference of a config cost, next to those of others."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from rich.progress import track
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from ..engine.config import OptionText
from ..engine.runtime.allocator import keep_freed_memory
from ..engine.runtime.memory import peak_memory, restart_peak
from .contestant import Conditions, Contestant
from .operations import count_operations
from .own_process import answer_of

MEGABYTE = 2**20
NUM_WARMUP = 1

ACTIONS = ('train_step', 'infer')
"""What of a :class:`Contestant` is measured."""

PEAKS = {'train_step': 'peak_mb', 'infer': 'infer_peak_mb'}

Costs = dict[str, float]
"""``train_step_s``, ``infer_s`` (medians, seconds per batch), ``train_step_spread``, ``infer_spread`` (their
interquartile ranges as shares of them), ``train_step_relative``, ``infer_relative`` (medians of the times divided by
those of the first config in the same repeat; with a ``_spread``, too), ``train_step_share``, ``infer_share`` (their
products against large matrix products of the same type in the same time), ``peak_mb``, ``infer_peak_mb`` (of training
steps and inferences, above the idle process), ``train_step_gflops``, ``infer_gflops`` (per cloud, 2 per multiply-add),
``train_step_ops``, ``infer_ops`` (operations that compute, launched kernels on CUDA), ``train_step_syncs``,
``infer_syncs`` (operations that make the host wait for a device), ``parameters``, ``trainable``, ``adapter_mb``,
``bank_mb`` (2**20 bytes that are stored per task)."""


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
    """Median seconds of a training step and an inference and their spread, repeats interleaved over the contestants.

    What is relative to the first contestant is compared within each repeat, as a machine is seldom equally fast for
    minutes.
    """
    actions = {
        f'{name}|{what}': getattr(contestant, what)
        for name, contestant in contestants.items()
        for what in ACTIONS
    }
    samples: dict[str, list[float]] = {key: [] for key in actions}
    for repeat in track(range(NUM_WARMUP + conditions.repeats), description='timing'):
        for key, action in actions.items():
            action()  # in a run, a step follows a step of its own kind
            seconds = timed(action, conditions.device)
            if repeat >= NUM_WARMUP:
                samples[key].append(seconds)
    first = next(iter(contestants))
    return {
        name: {
            key: value
            for what in ACTIONS
            for key, value in _compared(samples[f'{name}|{what}'], samples[f'{first}|{what}'], what).items()
        }
        for name in contestants
    }


def _compared(seconds: Sequence[float], of_first: Sequence[float], what: str) -> Costs:
    """The seconds of something, and what they are relative to those of the first contestant, repeat by repeat."""
    median, spread = _middle([one / other for one, other in zip(seconds, of_first)])
    return {
        **median_and_spread(seconds, what),
        f'{what}_relative': median,
        f'{what}_relative_spread': spread,
    }


def median_and_spread(seconds: Sequence[float], what: str) -> Costs:
    """Median of the seconds of something, and their interquartile range as a share of it."""
    median, spread = _middle(seconds)
    return {f'{what}_s': median, f'{what}_spread': spread}


def _middle(values: Sequence[float]) -> tuple[float, float]:
    """Median, and interquartile range as a share of it."""
    low, median, high = np.percentile(values, [25, 50, 75]).tolist()
    return median, (high - low) / median


def count_flops(contestant: Contestant) -> Costs:
    """GFLOPs (2 per multiply-add) per cloud of a training step and an inference."""
    result = {}
    for what in ACTIONS:
        # The counter knows no fused attention on a CPU, but it knows the products that attention is made of.
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            getattr(contestant, what)()
        result[f'{what}_gflops'] = counter.get_total_flops() / contestant.batch_size / 1e9
    return result


def shares_of_products(costs: Costs, conditions: Conditions) -> Costs:
    """FLOPs of a second of training and inference as shares of those of large matrix products."""
    types = {'train_step': conditions.dtype, 'infer': 'float32'}
    return {
        f'{what}_share': costs[f'{what}_gflops']
        * 1e9
        * conditions.batch_size
        / costs[f'{what}_s']
        / product_rate(conditions.device, types[what])
        for what in ACTIONS
    }


@functools.cache
def product_rate(device: str, dtype: str) -> float:
    """FLOPs per second (2 per multiply-add) of products of large square matrices; measured once per process."""
    size = 8192 if device.startswith('cuda') else 2048
    one, other = torch.randn(2, size, size, device=device).to(getattr(torch, dtype))
    seconds = [timed(lambda: one @ other, device) for _ in range(NUM_WARMUP + 5)][NUM_WARMUP:]
    return 2 * size**3 / float(np.median(seconds))


def count_launches(contestant: Contestant) -> Costs:
    """Operations of a training step and an inference, and those of them that wait; after a first training step."""
    result: Costs = {}
    for what in ACTIONS:
        counts = count_operations(
            getattr(contestant, what), contestant.device, contestant.counts_of_the_optimizer()
        )
        result[f'{what}_ops'], result[f'{what}_syncs'] = counts
    return result


def measure_memory(config: str, conditions: Conditions, options: Mapping[str, str], what: str) -> float:
    """Peak MB of one of ``ACTIONS`` above the idle process; run in a fresh process."""
    if conditions.device.startswith('cuda'):
        torch.cuda.reset_peak_memory_stats()
    idle = restart_peak()
    contestant = Contestant(config, conditions, {key: OptionText(text) for key, text in options.items()})
    for _ in range(NUM_WARMUP + 2):
        getattr(contestant, what)()
    if conditions.device.startswith('cuda'):
        return torch.cuda.max_memory_allocated() / MEGABYTE
    return (peak_memory() - idle) / MEGABYTE


def memory_in_own_process(
    config: str, conditions: Conditions, options: Mapping[str, str] | None = None, what: str = 'train_step'
) -> float:
    """Peak MB of a config, measured by a new process, as what one action frees is kept and hides the next one's.

    Args:
        config (str): Config file or name.
        conditions (Conditions): What it is measured with.
        options (Mapping | None): ``--cfg-options``, texts.
        what (str): One of ``ACTIONS``.

    Raises:
        PointPEFTError: It did not get to its end; says its last line.
    """
    program = (
        f'from {keep_freed_memory.__module__} import keep_freed_memory; keep_freed_memory(); '  # as every tool does
        f'from {__name__} import Conditions, measure_memory; import json, sys, torch; '
        'config, conditions, options, what = json.loads(sys.argv[1]); conditions = Conditions(**conditions); '
        'torch.set_num_threads(conditions.threads); print(measure_memory(config, conditions, options, what))'
    )
    told = json.dumps([str(config), asdict(conditions), dict(options or {}), what])
    return float(answer_of(program, told, f'the memory of {config} could not be measured'))


def measure_costs(
    configs: Sequence[str], conditions: Conditions, options: Mapping[str, str] | None = None
) -> dict[str, Costs]:
    """Measure configs side by side.

    Times are medians of interleaved repeats in this process, so that a noisy machine disturbs all alike; the memory of
    each is that of a process of its own.

    Args:
        configs (Sequence[str]): Config files or names.
        conditions (Conditions): What they are measured with.
        options (Mapping | None): ``--cfg-options`` of all of them, texts.

    Returns:
        dict[str, Costs]: In the order of the configs.
    """
    torch.set_num_threads(conditions.threads)
    contestants = {
        config: Contestant(config, conditions, options) for config in configs
    }  # says what is wrong with them
    memory = {
        config: {key: memory_in_own_process(config, conditions, options, what) for what, key in PEAKS.items()}
        for config in track(configs, description='memory')
    }
    times = measure_times(contestants, conditions)
    flops = {config: count_flops(contestant) for config, contestant in contestants.items()}
    return {
        config: {
            **times[config],
            **memory[config],
            **flops[config],
            **shares_of_products({**times[config], **flops[config]}, conditions),
            **count_launches(contestant),
            **contestant.parameters(),
            **contestant.sizes(),
        }
        for config, contestant in contestants.items()
    }


def ratios(costs: Mapping[str, Costs], baseline: str) -> dict[str, Costs]:
    """Costs divided by those of one config; what it has none of is left out, and so is the spread of times.

    Times that were compared repeat by repeat stay so.
    """
    reference = costs[baseline]
    return {
        config: {
            key: round(_ratio(row, reference, key), 4)
            for key in row
            if reference[key] and not key.endswith(('_spread', '_relative'))
        }
        for config, row in costs.items()
    }


def _ratio(row: Costs, reference: Costs, key: str) -> float:
    compared = key.removesuffix('_s') + '_relative'
    key = compared if compared in row else key
    return row[key] / reference[key]
