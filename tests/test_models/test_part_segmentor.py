"""The part segmentation model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from small_models import ROOT, methods_for, small_config_of, state_of, write_pretrained
from small_part_models import CHANGES, HEADS, build_segmentor, head_of, part_batch, part_logits
from torch.nn import functional as F

from point_peft.backbones import PointMAE
from point_peft.engine.config import load_config
from point_peft.methods import PEFTBackbone
from point_peft.models import PartSegmentor


def test_modes() -> None:
    """The three modes agree: loss and predictions follow from the raw logits."""
    model = build_segmentor(way='point_peft')
    inputs, given = part_batch(4)
    raw = part_logits(model, inputs)
    assert raw.shape == (4, 64, 8)
    with torch.no_grad():
        loss = model(inputs, given, mode='loss')
        found = model(inputs, given, mode='predict')
    labels = torch.stack([sample.gt_part for sample in given])
    assert set(loss) == {'loss'}
    torch.testing.assert_close(loss['loss'], F.cross_entropy(raw.transpose(1, 2), labels))
    assert torch.equal(model.head.allowed[inputs['category']].sum(dim=1), torch.tensor([2, 3, 1, 2]))
    best = raw.masked_fill(~model.head.allowed[inputs['category']].unsqueeze(1), -1e9).argmax(dim=2)
    assert torch.equal(torch.stack([sample.pred_part for sample in found]), best)


def test_modes_by_name() -> None:
    """``tensor`` is the default; another one is refused with the three names."""
    model, (inputs, _) = build_segmentor(), part_batch(2)
    with torch.no_grad():
        assert torch.equal(model(inputs), model(inputs, mode='tensor'))
    with pytest.raises(
        ValueError, match="mode='logits' is unknown to PartSegmentor; use 'tensor', 'loss' or"
    ):
        model(inputs, mode='logits')


def test_without_category() -> None:
    """One sentence instead of a KeyError."""
    with pytest.raises(
        ValueError, match=r"told the objects' categories, but inputs has no 'category'; give it as \(B,\)"
    ):
        build_segmentor()(dict(points=part_batch(2)[0]['points']))


def test_configs() -> None:
    """Without a peft the backbone is plain and everything is trained; with one it is wrapped."""
    plain, tuned = build_segmentor(), build_segmentor(way='linear_probe')
    assert isinstance(plain.backbone, PointMAE) and all(p.requires_grad for p in plain.parameters())
    assert isinstance(tuned.backbone, PEFTBackbone)
    trained = {name for name, p in tuned.named_parameters() if p.requires_grad}
    assert trained == {name for name, _ in tuned.named_parameters() if name.startswith('head.')}


def test_head_is_told_the_dimension() -> None:
    """Unless its config says one."""
    head = dict(HEADS['plain'], parts_per_category=(2, 3))
    assert (
        PartSegmentor(small_config_of('PointMAE'), head).head.propagation_0.mlp_convs[0].in_channels
        == 3 + 3 * 48
    )


@pytest.mark.parametrize('loss_weight', [3.0, 0.0])
def test_auxiliary_head(loss_weight: float) -> None:
    """PointGPT's generator adds its loss to training; with weight 0, as published, it takes no part."""
    model = PartSegmentor(
        small_config_of('PointGPT', **CHANGES['PointGPT']),
        head_of('PointGPT'),
        auxiliary_head=dict(
            type='GenerationHead', depth=1, num_heads=3, group_size=8, loss_weight=loss_weight
        ),
    ).train()
    losses = model(*part_batch(), mode='loss')
    assert set(losses) == ({'loss', 'loss_generation'} if loss_weight else {'loss'})
    sum(losses.values()).backward()
    without = [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert not without


def test_pretrained_weights(tmp_path: Path) -> None:
    """The backbone's come from the file, and only they count as its base."""
    file = write_pretrained(tmp_path / 'a.pth')
    backbone = small_config_of(
        'PointMAE', class_token=False, init_cfg=dict(type='Pretrained', checkpoint=str(file))
    )
    model = PartSegmentor(
        backbone, head_of('PointMAE'), peft=dict(type='PEFTBackbone', methods=methods_for('PointMAE')['lora'])
    )
    model.init_weights()
    base = model.base_state()
    assert base and all(name.startswith('backbone.') for name in base)
    assert {name for name in state_of(model) if name.startswith('backbone.backbone.')} <= set(base)


def run_config(folder: Path, method: str) -> Config:
    """A complete run on a few of the built-in shapes."""
    cfg = load_config(ROOT / 'configs' / method / 'pointmae_mini_shapes_part.py')
    cfg.model.backbone = small_config_of('PointMAE', class_token=False)
    if 'peft' in cfg.model:
        cfg.model.peft.methods = methods_for('PointMAE')[method]
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        cfg[loader].dataset.update(num_samples=32, num_points=64)
    cfg.train_dataloader.batch_size = 16
    cfg.train_cfg.max_epochs, cfg.param_scheduler = 2, []
    cfg.work_dir = str(folder)
    return cfg


@pytest.mark.parametrize('method', ['full', 'point_peft', 'linear_probe'])
def test_run(tmp_path: Path, method: str, log: Any) -> None:
    """Training, validation and test through the runner; a new process gets the same numbers from the checkpoint."""
    runner = Runner.from_cfg(run_config(tmp_path / 'train', method))
    runner.train()
    metrics = runner.test()
    assert {'instance_miou', 'class_miou', 'point_accuracy'} < set(metrics)
    assert len([name for name in metrics if name.startswith('miou/')]) == 16
    cfg = run_config(tmp_path / 'test', method)
    cfg.load_from = str(tmp_path / 'train' / 'epoch_2.pth')
    assert Runner.from_cfg(cfg).test() == metrics
    assert not [message for message in log.at('WARNING') if 'class' in message]
    assert (tmp_path / 'train' / 'protocol.json').is_file()
    assert list((tmp_path / 'train').glob('best_instance_miou_epoch_*.pth'))
