"""What a checkpoint of a run holds, and writing it."""

from __future__ import annotations

import io
import time
from typing import Any

import mmengine
import torch
from mmengine.fileio import get_file_backend, join_path
from mmengine.runner import Runner
from mmengine.runner.checkpoint import weights_to_cpu
from mmengine.utils import apply_to, get_git_hash

from ...registry.wrappers import unwrap


def collect_checkpoint(
    runner: Runner, meta: dict[str, Any], *, save_optimizer: bool, save_param_scheduler: bool
) -> dict[str, Any]:
    """The state of a run as MMEngine saves it, on the CPU.

    Args:
        runner (Runner): The run.
        meta (dict): ``epoch`` and ``iter`` that are done; what else is known of the run is added.
        save_optimizer (bool): Whether the optimizer belongs to it.
        save_param_scheduler (bool): Whether the schedules belong to it.
    """
    meta = dict(
        meta,
        cfg=runner.cfg.pretty_text,
        seed=runner.seed,
        experiment_name=runner.experiment_name,
        time=time.strftime('%Y%m%d_%H%M%S', time.localtime()),
        mmengine_version=mmengine.__version__ + get_git_hash(),
    )
    if hasattr(runner.train_dataloader.dataset, 'metainfo'):
        meta['dataset_meta'] = runner.train_dataloader.dataset.metainfo
    checkpoint = dict(
        meta=meta,
        state_dict=weights_to_cpu(unwrap(runner.model).state_dict()),
        message_hub=_to_cpu(runner.message_hub.state_dict()),
    )
    if save_optimizer:
        checkpoint['optimizer'] = _to_cpu(runner.optim_wrapper.state_dict())
    schedulers = runner.param_schedulers
    if save_param_scheduler and isinstance(schedulers, dict):  # of several optimizers
        checkpoint['param_schedulers'] = {
            name: [scheduler.state_dict() for scheduler in own] for name, own in schedulers.items()
        }
    elif save_param_scheduler and schedulers is not None:
        checkpoint['param_schedulers'] = [scheduler.state_dict() for scheduler in schedulers]
    return checkpoint


def write_checkpoint(
    checkpoint: dict[str, Any], directory: str, name: str, backend_args: dict[str, Any] | None
) -> None:
    """Write a checkpoint by the storage that ``backend_args`` name; MMEngine's own way warns of its FileClient.

    Raises:
        OSError: It cannot be written.
    """
    path = join_path(directory, name, backend_args=backend_args)
    with io.BytesIO() as buffer:
        torch.save(checkpoint, buffer)
        get_file_backend(path, backend_args=backend_args).put(buffer.getvalue(), path)


def _to_cpu(state: Any) -> Any:
    """A state with its tensors on the CPU."""
    return apply_to(state, lambda value: hasattr(value, 'cpu'), lambda value: value.cpu())
