"""What ``activation_checkpointing`` may name, and a whole training with it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from small_models import METHODS, build_classifier, small_config, write_pretrained

from point_peft.engine.preflight import check_recomputation
from point_peft.engine.preflight.recomputation import block_names
from point_peft.io.errors import ConfigError

BLOCKS = [f'backbone.backbone.blocks.blocks.{index}' for index in range(4)]


def runner_with(names: Any) -> Any:
    """What the check looks at."""
    model = build_classifier(METHODS['lora'])
    return SimpleNamespace(cfg=Config(dict(activation_checkpointing=names)), model=model)


@pytest.mark.parametrize(
    'names', [None, [], BLOCKS[1], BLOCKS, [f'{BLOCKS[0]}.mlp', f'{BLOCKS[2]}.attn.qkv']]
)
def test_blocks(names: Any) -> None:
    """All blocks, some, or what is in them."""
    check_recomputation(runner_with(names))


@pytest.mark.parametrize(
    'name',
    [
        'backbone',
        'backbone.backbone',
        'backbone.backbone.blocks',
        'head',
        'backbone.blocks.0',
        f'{BLOCKS[0]}.mpl',
    ],
)
def test_others(name: str) -> None:
    """Wholes, heads, lists and misspelt names are refused with a name that would do."""
    with pytest.raises(
        ConfigError, match=rf"names '{name}', but only transformer blocks .*'{BLOCKS[0]}'; name"
    ):
        check_recomputation(runner_with([*BLOCKS, name]))


def test_names_of_a_plain_backbone() -> None:
    """Without a peft the names are shorter by one part."""
    assert block_names(build_classifier()) == [name.removeprefix('backbone.') for name in BLOCKS]


@pytest.mark.filterwarnings('ignore:torch.utils.checkpoint', 'ignore:None of the inputs')
def test_training(tmp_path: Path) -> None:
    """An epoch of Point-PEFT with it ends in the weights of an epoch without, to rounding."""
    checkpoint, states = write_pretrained(tmp_path / 'pretrained.pth'), []
    for names in (None, BLOCKS):
        cfg = small_config(tmp_path / str(names is None), checkpoint=checkpoint)
        cfg.train_cfg.max_epochs, cfg.activation_checkpointing = 1, names
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
        cfg.default_hooks.pop('protocol', None)
        cfg.randomness = dict(seed=0)
        cfg.experiment_name = f'recomputed_{names is None}'
        runner = Runner.from_cfg(cfg)
        check_recomputation(runner)
        runner.train()
        states.append(runner.model.state_dict())
    for name, value in states[0].items():
        torch.testing.assert_close(states[1][name], value, atol=1e-4, rtol=1e-3, msg=name)
