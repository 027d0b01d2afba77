"""What a training leaves of what the backbone knew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.runner import Runner
from small_models import BACKBONE, build_plain

from point_peft.io.errors import ConfigError

DATA = dict(type='ProceduralShapes', num_samples=48, num_points=128)


def train(
    work_dir: Path,
    *,
    methods: list[dict[str, Any]] | None,
    init_cfg: dict[str, Any] | None,
    frozen_dtype: str | None = None,
) -> dict[str, Any]:
    """Tune a small backbone on scans and ask for whole objects; what the run notes."""
    loader = dict(
        batch_size=8,
        sampler=dict(type='DefaultSampler', shuffle=True),
        collate_fn=dict(type='pseudo_collate'),
    )
    val = dict(loader, dataset=DATA | dict(split='val', scan=True))
    peft = dict(type='PEFTBackbone', methods=methods, frozen_dtype=frozen_dtype)
    runner = Runner.from_cfg(
        dict(
            model=dict(
                type='PointClassifier',
                backbone=BACKBONE | dict(init_cfg=init_cfg),
                head=dict(type='PointClsHead', num_classes=16),
                data_preprocessor=dict(type='PointDataPreprocessor'),
                **({} if methods is None else dict(peft=peft)),
            ),
            work_dir=str(work_dir),
            train_dataloader=dict(loader, dataset=DATA | dict(scan=True)),
            val_dataloader=val,
            test_dataloader=val,
            val_evaluator=dict(type='ClassificationAccuracy'),
            test_evaluator=dict(type='ClassificationAccuracy'),
            train_cfg=dict(by_epoch=True, max_epochs=2),
            val_cfg=dict(),
            test_cfg=dict(),
            optim_wrapper=dict(optimizer=dict(type='AdamW', lr=0.02)),
            custom_hooks=[
                dict(type='ProtocolHook'),
                dict(type='ForgettingHook', train=DATA, test=DATA | dict(split='val')),
            ],
            default_scope='point_peft',
            randomness=dict(seed=0),
            experiment_name=f'{work_dir.name}-{torch.randint(2**30, ()).item()}',
        )
    )
    runner.train()
    return json.loads((work_dir / 'protocol.json').read_text())['other_task']


def test_taken_off_nothing_is_forgotten(tmp_path: Path) -> None:
    """With the methods off the features are the same to the bit, biases included; full fine-tuning moves them."""
    torch.save(build_plain().state_dict(), tmp_path / 'pretrained.pth')
    init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'pretrained.pth'))
    methods = [dict(type='LoRA', rank=2), dict(type='SelectiveTuning')]
    kept = train(tmp_path / 'lora', methods=methods, init_cfg=init_cfg)
    assert kept['unchanged'] and kept['before'] == kept['after'] == kept['refitted'] > 100 / 16
    lost = train(tmp_path / 'full', methods=None, init_cfg=init_cfg)
    assert lost['before'] == kept['before'] and not lost['unchanged'] and lost['after'] < lost['before']


def test_a_class_token_that_is_not_pretrained(tmp_path: Path) -> None:
    """It starts at random, which is nothing that could be forgotten: it is the same before and after."""
    state = build_plain().state_dict()
    del state['cls_token'], state['cls_pos']
    torch.save(state, tmp_path / 'pretrained.pth')
    init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'pretrained.pth'))
    kept = train(tmp_path / 'lora', methods=[dict(type='SelectiveTuning')], init_cfg=init_cfg)
    assert kept['unchanged'] and kept['before'] == kept['after']


def test_rounding_is_no_forgetting(tmp_path: Path) -> None:
    """Frozen weights that are stored in bfloat16 are compared with weights that are stored so."""
    torch.save(build_plain().state_dict(), tmp_path / 'pretrained.pth')
    init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'pretrained.pth'))
    methods = [dict(type='LoRA', rank=2), dict(type='SelectiveTuning')]
    kept = train(tmp_path / 'lora', methods=methods, init_cfg=init_cfg, frozen_dtype='bfloat16')
    assert kept['unchanged'] and kept['before'] == kept['after'] == kept['refitted'] > 100 / 16


def test_nothing_to_forget(tmp_path: Path) -> None:
    """Random weights are refused, before the training."""
    with pytest.raises(
        ConfigError, match=r'model\.backbone\.init_cfg names no checkpoint; name one, or drop'
    ):
        train(tmp_path, methods=None, init_cfg=None)
