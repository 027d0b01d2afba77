"""The decoders: their inputs, their loss, and what depends on what."""

from __future__ import annotations

import pytest
import torch
from rooms import NUM_CLASSES, block_samples, blocks, build_segmentor
from small_models import SMALL_BACKBONES, sizes
from torch.nn import functional as F

from point_peft.heads import PropagationSceneSegHead
from point_peft.models.scene_preprocessor import unit_sphere


def run(model: torch.nn.Module, rows: torch.Tensor) -> torch.Tensor:
    """Logits of blocks."""
    with torch.no_grad():
        return model(dict(points=unit_sphere(rows[..., :3]), point_features=rows), mode='tensor')


@pytest.mark.parametrize('linear', [False, True], ids=['propagation', 'linear'])
@pytest.mark.parametrize('name', SMALL_BACKBONES)
def test_every_backbone(name: str, linear: bool) -> None:
    """Logits for every point, finite, and each block's own."""
    model, rows = build_segmentor(name, linear=linear), blocks()
    logits = run(model, rows)
    assert logits.shape == (2, 96, NUM_CLASSES) and logits.isfinite().all() and logits.std() > 0
    alone = torch.cat([run(model, rows[:1]), run(model, rows[1:])])
    torch.testing.assert_close(logits, alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('linear', [False, True], ids=['propagation', 'linear'])
def test_points_own_features_matter(linear: bool) -> None:
    """The color of one point changes that point and no other."""
    model, rows = build_segmentor(linear=linear), blocks()
    changed = rows.clone()
    changed[0, 5, 3:] += 1
    difference = (run(model, changed) - run(model, rows)).abs().amax(dim=-1)
    assert difference[0, 5] > 1e-3
    difference[0, 5] = 0
    assert difference.max() < 1e-5


def test_point_order() -> None:
    """Points may come in another order, as long as the first, where sampling starts, stays."""
    model, rows = build_segmentor(), blocks(1)
    order = torch.cat([torch.tensor([0]), 1 + torch.randperm(95)])
    torch.testing.assert_close(run(model, rows)[:, order], run(model, rows[:, order]), rtol=1e-4, atol=1e-4)


def test_wrong_columns() -> None:
    """A pipeline with other columns is named as the fault."""
    with pytest.raises(
        ValueError, match='the points have 9 columns, but the head is built for 6; set model.head'
    ):
        run(build_segmentor(), blocks(columns=9))
    assert run(build_segmentor(point_channels=9), blocks(columns=9)).shape == (2, 96, NUM_CLASSES)


def make_loss(labels: list[int], **head: object) -> torch.Tensor:
    """Loss of a head for one block with these labels, against fixed logits."""
    model = PropagationSceneSegHead(sizes(), NUM_CLASSES, **head)
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(1, len(labels), NUM_CLASSES, generator=generator, requires_grad=True)
    loss = model.loss(logits, block_samples(torch.tensor([labels])))['loss']
    loss.backward()
    assert logits.grad is not None and logits.grad.isfinite().all()
    return loss.detach()


def test_loss() -> None:
    """PyTorch's own, with weights and with points to ignore."""
    logits = torch.randn(1, 5, NUM_CLASSES, generator=torch.Generator().manual_seed(0))[0]
    labels, weights = torch.tensor([0, 3, 4, 1, 1]), [1.0, 2.0, 0.5, 4.0]
    for weight in (None, weights):
        expected = F.cross_entropy(
            logits, labels, None if weight is None else torch.tensor(weight), ignore_index=NUM_CLASSES
        )
        torch.testing.assert_close(make_loss(labels.tolist(), class_weight=weight), expected)
    assert make_loss([0, 3, 255, 1, 1], ignore_index=255) == make_loss([0, 3, 4, 1, 1])


def test_block_without_labels() -> None:
    """A block of nothing but unlabelled points gives no loss, and no NaN."""
    assert make_loss([NUM_CLASSES] * 5) == 0


@pytest.mark.parametrize('label', [NUM_CLASSES + 1, -1])
def test_wrong_labels(label: int) -> None:
    """Labels that were not mapped are refused."""
    with pytest.raises(ValueError, match='knows classes 0 to 3 and ignores 4; put PointSegClassMapping'):
        make_loss([0, label, 1])


def test_wrong_arguments() -> None:
    """Lists that do not fit each other."""
    with pytest.raises(ValueError, match='class_weight has 2 numbers; give num_classes=4'):
        PropagationSceneSegHead(sizes(), 4, class_weight=[1, 2])
