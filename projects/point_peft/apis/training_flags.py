"""What is said of a training beside its config: the flags of ``tools/train.py``, and the arguments of ``train``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.device import get_device

from ..engine.config.work_dir import default_work_dir
from ..engine.runtime.resume import checkpoint_directory, find_resumable_checkpoint
from ..engine.runtime.visualizer import add_backend
from ..io.errors import ConfigError

AMP_DTYPES = dict(bfloat16='BFloat16OptimWrapper', float16='AmpOptimWrapper')
"""What mixed precision can compute in, and the optimizer wrapper that does."""

COMPILE_MODES = ('auto', 'default', 'reduce-overhead', 'max-autotune')
"""``torch.compile``'s modes, and ``auto``: ``reduce-overhead`` on a GPU, where the step becomes CUDA graphs, else
``default``."""


@dataclass(frozen=True)
class TrainingFlags:
    """A training: the config, and what is said beside it.

    Attributes:
        config (str): File or name.
        data (Path | None): Directory of the data.
        options (Mapping): Changes to the config.
        work_dir (Path | None): Directory for logs and checkpoints; None for the default.
        patience (int | None): Epochs without improvement on validation after which to end; None for all epochs.
        resume (str | None): Checkpoint to go on from; ``auto`` for the newest in the work dir.
        amp (bool): Whether to train in mixed precision.
        amp_dtype (str | None): ``bfloat16`` or ``float16``; None for float16 on a GPU and bfloat16 on a CPU.
        compile (str | None): How to compile the model, see :data:`COMPILE_MODES`; None for not at all.
        validate (bool): Whether to evaluate during training.
        auto_scale_lr (bool): Whether to scale the learning rate with the batch size.
        tensorboard (bool): Whether to record the curves for TensorBoard too.
        wandb (str | None): Project of Weights & Biases to record them in too.
        seed (int | None): Seed of everything random; None for that of the config.
        launcher (str): Who started the processes; ``none`` if there is only one.
        device (str): ``auto``, ``cpu`` or ``cuda``.
    """

    config: str
    data: Path | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    work_dir: Path | None = None
    patience: int | None = None
    resume: str | None = None
    amp: bool = False
    amp_dtype: str | None = None
    compile: str | None = None
    validate: bool = True
    auto_scale_lr: bool = False
    tensorboard: bool = False
    wandb: str | None = None
    seed: int | None = None
    launcher: str = 'none'
    device: str = 'auto'

    def has_default_work_dir(self, cfg: Config) -> bool:
        """Whether neither the config nor a flag names the work dir."""
        if self.work_dir is not None:
            return False
        return self.data is not None or cfg.work_dir == str(default_work_dir(self.config))


def apply_flags(cfg: Config, flags: TrainingFlags) -> None:
    """Write the flags into a config.

    Raises:
        ConfigError: A flag does not fit the config or the machine.
    """
    cfg.launcher = flags.launcher
    if flags.seed is not None:
        cfg.merge_from_dict({'randomness.seed': flags.seed})
    if flags.amp:
        _enable_amp(cfg, flags.amp_dtype)
    elif flags.amp_dtype is not None:
        raise ConfigError('--amp-dtype says what --amp computes in; give --amp too, or leave it out.')
    if flags.compile is not None:
        if flags.compile not in COMPILE_MODES:
            raise ConfigError(
                f'compile={flags.compile!r} is unknown; give one of {", ".join(COMPILE_MODES)}.'
            )
        automatic = 'reduce-overhead' if get_device() == 'cuda' else 'default'
        cfg.compile = dict(mode=automatic if flags.compile == 'auto' else flags.compile)
    if not flags.validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
        cfg.get('default_hooks', {}).pop('protocol', None)
    if flags.tensorboard:
        add_backend(cfg, 'TensorboardVisBackend')
    if flags.wandb is not None:
        run_name = os.path.basename(os.path.abspath(cfg.work_dir))
        add_backend(cfg, 'WandbVisBackend', init_kwargs=dict(project=flags.wandb, name=run_name))
    if flags.patience is not None:
        add_hooks(cfg, dict(type='PatienceHook', patience=flags.patience))
    if flags.auto_scale_lr:
        if cfg.get('auto_scale_lr', {}).get('base_batch_size') is None:
            raise ConfigError(
                '--auto-scale-lr needs auto_scale_lr=dict(base_batch_size=...) in the config, the batch size '
                'that its learning rate is meant for.'
            )
        cfg.auto_scale_lr.enable = True
    if flags.resume == 'auto' or (flags.resume is None and cfg.get('resume') and not cfg.get('load_from')):
        newest = find_resumable_checkpoint(cfg.work_dir, checkpoint_directory(cfg))
        cfg.resume = newest is not None
        cfg.load_from = str(newest) if newest else cfg.get('load_from')
    elif flags.resume is not None:
        cfg.resume, cfg.load_from = True, os.path.expanduser(flags.resume)


def add_hooks(cfg: Config, *hooks: dict) -> None:
    """Add hooks to those of a config."""
    cfg.custom_hooks = [*(cfg.get('custom_hooks') or []), *hooks]


def _enable_amp(cfg: Config, dtype: str | None) -> None:
    """Train in mixed precision.

    Raises:
        ConfigError: float16 without a GPU, an unknown type, or an optimizer wrapper of the config's own.
    """
    on_gpu = get_device() == 'cuda'
    dtype = dtype or ('float16' if on_gpu else 'bfloat16')
    if dtype not in AMP_DTYPES:
        raise ConfigError(f'amp_dtype={dtype!r} is unknown; give one of {", ".join(AMP_DTYPES)}.')
    if dtype == 'float16' and not on_gpu:
        raise ConfigError('--amp-dtype float16 needs a GPU, and this run has none; use bfloat16.')
    kind = cfg.optim_wrapper.get('type', 'OptimWrapper')
    if kind not in ('OptimWrapper', *AMP_DTYPES.values()):
        raise ConfigError(f'--amp works with OptimWrapper, but the config has {kind}; leave --amp out.')
    cfg.optim_wrapper.type = AMP_DTYPES[dtype]
    if dtype == 'float16':
        cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')
