"""What the flags of a training make of its config."""

from __future__ import annotations

import pytest
import torch
from mmengine.config import Config

from point_peft.apis.training_flags import TrainingFlags, apply_flags
from point_peft.engine.runtime.device import selected_device
from point_peft.io.errors import ConfigError


def config(kind: str = 'OptimWrapper') -> Config:
    return Config(dict(optim_wrapper=dict(type=kind), work_dir='runs'))


@pytest.mark.parametrize('kind', ['OptimWrapper', 'BFloat16OptimWrapper'])
@pytest.mark.parametrize('dtype', [None, 'bfloat16'])
def test_mixed_precision_on_a_cpu(kind: str, dtype: str | None) -> None:
    """bfloat16, which needs no scaling of the loss."""
    cfg = config(kind)
    with selected_device('cpu'):
        apply_flags(cfg, TrainingFlags('c.py', amp=True, amp_dtype=dtype))
    assert cfg.optim_wrapper == dict(type='BFloat16OptimWrapper')


@pytest.mark.parametrize(('given', 'mode'), [('auto', 'default'), ('max-autotune', 'max-autotune')])
def test_compiling(given: str, mode: str) -> None:
    """Without a GPU there are no CUDA graphs."""
    cfg = config()
    with selected_device('cpu'):
        apply_flags(cfg, TrainingFlags('c.py', compile=given))
    assert cfg.compile == dict(mode=mode)
    with pytest.raises(ConfigError, match="compile='fast' is unknown; give one of auto, default"):
        apply_flags(config(), TrainingFlags('c.py', compile='fast'))


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_mixed_precision_on_a_gpu() -> None:
    """float16, with scaling, unless bfloat16 is asked for."""
    cfg, other = config(), config()
    apply_flags(cfg, TrainingFlags('c.py', amp=True))
    apply_flags(other, TrainingFlags('c.py', amp=True, amp_dtype='bfloat16'))
    assert cfg.optim_wrapper == dict(type='AmpOptimWrapper', loss_scale='dynamic')
    assert other.optim_wrapper == dict(type='BFloat16OptimWrapper')


@pytest.mark.parametrize(
    ('kind', 'flags', 'message'),
    [
        ('OptimWrapper', dict(amp=True, amp_dtype='float16'), 'float16 needs a GPU'),
        (
            'OptimWrapper',
            dict(amp=True, amp_dtype='half'),
            "amp_dtype='half' is unknown; give one of bfloat16",
        ),
        ('OptimWrapper', dict(amp_dtype='bfloat16'), 'give --amp too'),
        ('ApexOptimWrapper', dict(amp=True), 'the config has ApexOptimWrapper'),
    ],
)
def test_mixed_precision_that_cannot_be(kind: str, flags: dict, message: str) -> None:
    with selected_device('cpu'), pytest.raises(ConfigError, match=message):
        apply_flags(config(kind), TrainingFlags('c.py', **flags))
