"""Several processes, with or without GPUs.

MMEngine 0.10 asks for CUDA when it starts a process group and pins a wrapped model to a GPU. The two
functions here are called by the tools before the runner is built; with GPUs they leave everything to
MMEngine.
"""

from __future__ import annotations

import datetime
import os
import subprocess
from typing import Any

import torch.distributed as torch_dist
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import MODEL_WRAPPERS
from torch import nn

from ...io.errors import ConfigError

DEFAULT_TIMEOUT = 1800.0
"""Seconds a process waits for the others, as in torch."""

DEFAULT_PORT = '29500'

_NEEDED = ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR', 'MASTER_PORT')


@MODEL_WRAPPERS.register_module()
class DeviceAwareDataParallel(MMDistributedDataParallel):
    """MMEngine's wrapper for several processes, for a model on any device.

    Frozen parameters take no part in it, and batch-norm statistics are brought together once per epoch
    (``SyncBatchNormHook``) rather than overwritten in every step.

    Args:
        module (nn.Module): Model to wrap; what is frozen must be frozen already.
        device_ids (list[int] | None): GPU of this process; ignored for a model on the CPU.
        broadcast_buffers (bool): Whether to overwrite the buffers of all processes with the first one's.
        **kwargs: See :class:`torch.nn.parallel.DistributedDataParallel`.
    """

    def __init__(
        self,
        module: nn.Module,
        device_ids: list[int] | None = None,
        broadcast_buffers: bool = False,
        **kwargs: Any,
    ) -> None:
        on_cpu = next(module.parameters()).device.type == 'cpu'
        super().__init__(
            module=module,
            device_ids=None if on_cpu else device_ids,
            broadcast_buffers=broadcast_buffers,
            **kwargs,
        )


def init_processes(launcher: str, timeout: float = DEFAULT_TIMEOUT) -> None:
    """Join the process group over gloo if there is no GPU; with GPUs MMEngine does it over NCCL.

    A process that dies closes its connections, at which the others stop with an error.

    Args:
        launcher (str): ``none``, ``pytorch`` (torch.distributed.run) or ``slurm``.
        timeout (float): Seconds to wait for the other processes.

    Raises:
        ConfigError: The launcher is unknown, or did not set its environment.
    """
    if launcher == 'none' or get_device() == 'cuda' or torch_dist.is_initialized():
        return
    if launcher == 'slurm':
        _set_slurm_environment()
    elif launcher != 'pytorch':
        raise ConfigError(
            f"launcher '{launcher}' is not supported on a machine without GPUs; use pytorch or slurm."
        )
    missing = [name for name in _NEEDED if name not in os.environ]
    if missing:
        raise ConfigError(
            f'--launcher {launcher} needs the environment variable {missing[0]}, which its launcher sets; '
            'start the run with tools/dist_train.sh or tools/slurm_train.sh.'
        )
    torch_dist.init_process_group('gloo', timeout=datetime.timedelta(seconds=timeout))


def wrap_for_any_device(cfg: Config) -> None:
    """Wrap the model in :class:`DeviceAwareDataParallel`, unless the config names a wrapper.

    Raises:
        ConfigError: The wrapper would divide the model's parameters among the processes.
    """
    kind = (cfg.get('model_wrapper_cfg') or {}).get('type', '')
    if 'FullySharded' in (kind if isinstance(kind, str) else kind.__name__):
        raise ConfigError(
            f'model_wrapper_cfg.type is {kind}, but checkpoints, adapters and fitted states need whole parameters; '
            'leave model_wrapper_cfg out: few parameters are trained, so data parallelism needs little more memory.'
        )
    if cfg.get('model_wrapper_cfg') is None:
        cfg.model_wrapper_cfg = dict(
            type='DeviceAwareDataParallel', find_unused_parameters=cfg.get('find_unused_parameters', False)
        )


def leave_processes() -> None:
    """Leave the process group, if there is one."""
    if torch_dist.is_available() and torch_dist.is_initialized():
        torch_dist.destroy_process_group()


def _set_slurm_environment() -> None:
    """Translate slurm's variables into torch's."""
    try:
        rank, world_size = os.environ['SLURM_PROCID'], os.environ['SLURM_NTASKS']
    except KeyError as error:
        raise ConfigError(
            f'--launcher slurm needs {error.args[0]}, which srun sets; use tools/slurm_train.sh.'
        ) from None
    os.environ.update(RANK=rank, WORLD_SIZE=world_size, LOCAL_RANK=os.environ.get('SLURM_LOCALID', '0'))
    os.environ.setdefault('MASTER_PORT', DEFAULT_PORT)
    if 'MASTER_ADDR' not in os.environ:
        nodes = os.environ.get('SLURM_NODELIST', 'localhost')
        os.environ['MASTER_ADDR'] = subprocess.run(
            ['scontrol', 'show', 'hostname', nodes], capture_output=True, text=True, check=True
        ).stdout.split()[0]
