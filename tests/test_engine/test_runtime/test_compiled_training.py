"""Training whose logits are compiled."""

from __future__ import annotations

import shutil
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from compiled_models import needs_compiler
from mmengine.config import Config
from small_models import build_classifier, clouds, small_config
from torch import nn

from point_peft.apis import train
from point_peft.engine.runtime.compiling import compile_training

pytestmark = needs_compiler
LORA = [dict(type='LoRA', rank=2)]


def trained(tmp_path: Path, name: str, **arguments: Any) -> dict[str, torch.Tensor]:
    """Weights after an epoch of a small model."""
    cfg = small_config(tmp_path / name, method='lora', checkpoint=None)
    cfg.model.backbone.init_cfg = None
    cfg.train_cfg.max_epochs = 1
    cfg.default_hooks.delta = None
    cfg.dump(tmp_path / f'{name}.py')
    result = train(tmp_path / f'{name}.py', work_dir=tmp_path / name, device='cpu', **arguments)
    return torch.load(result.work_dir / 'epoch_1.pth', weights_only=False)['state_dict']


def test_weights_are_those_of_an_uncompiled_training(tmp_path: Path) -> None:
    """To the bit, where the compiler changes no operation; the log says that it compiled."""
    torch._dynamo.reset()
    compiled = trained(tmp_path, 'compiled', options={'compile': dict(backend='aot_eager', fullgraph=True)})
    plain = trained(tmp_path, 'plain')
    assert compiled.keys() == plain.keys()
    assert all(torch.equal(compiled[name], plain[name]) for name in plain)
    [log] = (tmp_path / 'compiled').glob('*/*.log')
    assert 'the model is compiled' in log.read_text()


def test_a_copy_computes_with_its_own_weights() -> None:
    """As a moving average of the weights or a check of what was forgotten needs it."""
    torch._dynamo.reset()
    model = build_classifier(LORA).train()
    model.compile_training(backend='aot_eager')
    points = clouds(2)

    def logits(model: nn.Module) -> torch.Tensor:
        torch.manual_seed(0)
        return model(dict(points=points))

    expected = logits(model)
    copy = deepcopy(model)
    with torch.no_grad():
        copy.head.cls_head_finetune[-1].bias.add_(1.0)
    torch.testing.assert_close(logits(copy), expected + 1)
    assert torch.equal(logits(model), expected)


@pytest.mark.parametrize(('settings', 'compiles'), [({}, True), (True, True), (False, False), (None, False)])
def test_what_the_config_says(settings: dict | bool | None, compiles: bool) -> None:
    """No arguments are not no compiling, and the step of such a model is never compiled as a whole."""
    model = build_classifier(LORA)
    assert compile_training(model, Config(dict(compile=settings))) is compiles
    assert (model._compiled is not None) is compiles
    assert not compile_training(nn.Linear(1, 1), Config(dict(compile=settings)))


@pytest.mark.thorough
@pytest.mark.skipif(shutil.which('g++') is None, reason='no C++ compiler: not here')
def test_the_default_compiler_takes_a_training(tmp_path: Path) -> None:
    """Inductor, whose random numbers are others."""
    torch._dynamo.reset()
    weights = trained(tmp_path, 'compiled', compile='auto')
    assert all(torch.isfinite(value).all() for value in weights.values() if value.is_floating_point())
