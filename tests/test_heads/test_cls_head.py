"""The classification head."""

from __future__ import annotations

import math

import golden_inputs
import pytest
import torch
from small_models import samples, scramble
from torch import nn
from torch.nn import functional as F

from point_peft.heads import PointClsHead
from point_peft.structures import BackboneFeatures


def features(batch: int = 3, dim: int = 4, seed: int = 0) -> BackboneFeatures:
    """Random tokens: five patches, one prefix."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randn(batch, 6, dim, generator=generator)
    return BackboneFeatures(tokens[:, 1:], torch.zeros(batch, 5, 3), tokens[:, :1])


def head(num_classes: int = 3, **arguments: object) -> PointClsHead:
    """A small head in eval mode with random weights."""
    made = PointClsHead(num_classes, **(dict(embed_dim=4, hidden_dims=(8,)) | arguments))
    scramble(made)
    return made.eval()


def fixed_head(**arguments: object) -> PointClsHead:
    """A head whose logits are the two values of the max-pooled token."""
    made = PointClsHead(2, embed_dim=2, pool=['max'], hidden_dims=(), **arguments).eval()
    made.cls_head_finetune[0] = nn.Identity()
    with torch.no_grad():
        made.cls_head_finetune[1].weight.copy_(torch.eye(2))
        made.cls_head_finetune[1].bias.zero_()
    return made


def constant(values: list[list[float]]) -> BackboneFeatures:
    """Features whose max-pooled tokens are ``values``."""
    patches = torch.tensor(values).unsqueeze(1)
    return BackboneFeatures(patches, torch.zeros(len(values), 1, 3), patches[:, :0])


def test_official_names_and_shapes() -> None:
    """By default the published head, which loads without renaming."""
    published = dict(golden_inputs.description('pointmae_cls')['state0'])
    expected = {name: shape for name, shape in published.items() if name.startswith('cls_head_finetune.')}
    with torch.device('meta'):
        ours = PointClsHead(15).state_dict()
    assert {name: list(value.shape) for name, value in ours.items()} == expected
    assert sum(math.prod(shape) for name, shape in expected.items() if 'running' not in name) - 2 == 267_535


@pytest.mark.parametrize('pool', [['prefix', 'max'], ['max'], ['max', 'mean', 'prefix']])
def test_pools(pool: list[str]) -> None:
    """The first layer takes as many parts as are pooled."""
    made = head(pool=pool)
    parts = {'max': features().patches.amax(1), 'mean': features().patches.mean(1)}
    parts['prefix'] = features().prefix[:, 0]
    expected = made.cls_head_finetune(torch.cat([parts[part] for part in pool], dim=1))
    assert torch.equal(made(features()), expected) and expected.shape == (3, 3)


def test_linear_head() -> None:
    """Without hidden layers: batch norm without parameters, then one linear layer."""
    made = head(hidden_dims=(), pool=['max', 'mean'])
    norm, linear = made.cls_head_finetune
    assert isinstance(norm, nn.BatchNorm1d) and not norm.affine and isinstance(linear, nn.Linear)
    assert sum(p.numel() for p in made.parameters()) == 8 * 3 + 3
    pooled = torch.cat([features().patches.amax(1), features().patches.mean(1)], dim=1)
    logits = F.linear((pooled - pooled.mean(0)) / (pooled.var(0, correction=0) + 1e-5).sqrt(), linear.weight)
    torch.testing.assert_close(made.train()(features()), logits + linear.bias)


def test_loss_by_hand() -> None:
    """Logits (0, ln 3): probabilities 1/4 and 3/4."""
    loss = fixed_head().loss(constant([[0.0, math.log(3)], [0.0, math.log(3)]]), samples([0, 1]))
    assert loss['loss'].item() == pytest.approx(-(math.log(1 / 4) + math.log(3 / 4)) / 2)


def test_label_smoothing_by_hand() -> None:
    """Smoothing 0.2 over two classes gives targets 0.9 and 0.1."""
    loss = fixed_head(label_smoothing=0.2).loss(constant([[0.0, math.log(3)]]), samples([0]))
    assert loss['loss'].item() == pytest.approx(-(0.9 * math.log(1 / 4) + 0.1 * math.log(3 / 4)))


def test_predict_by_hand() -> None:
    """Softmax scores and the best class, written into the samples that were given."""
    given = samples([1, 1])
    found = fixed_head().predict(constant([[0.0, math.log(3)], [2.0, 2.0 - math.log(4)]]), given)
    assert found[0] is given[0] and [int(sample.pred_label) for sample in found] == [1, 0]
    torch.testing.assert_close(found[0].pred_scores, torch.tensor([0.25, 0.75]))
    torch.testing.assert_close(found[1].pred_scores, torch.tensor([0.8, 0.2]))
    assert [int(sample.gt_label) for sample in found] == [1, 1]


def test_predict_without_samples() -> None:
    """New samples are made."""
    found = head().predict(features(), None)
    assert len(found) == 3 and all(sample.pred_scores.sum().item() == pytest.approx(1) for sample in found)


@pytest.mark.parametrize('label', [-1, 3, 40])
def test_label_outside_the_head(label: int) -> None:
    """The message names the source, the label, the number of classes and the config key."""
    message = rf'label {label} of toy\.h5\[1\] is outside the head\'s 3 classes; set model\.head\.num_classes'
    with pytest.raises(ValueError, match=message):
        head().loss(features(), samples([0, label, 2]))


def test_dropout_in_training_only() -> None:
    """Random in train mode."""
    made = head(dropout=0.5)
    assert torch.equal(made(features()), made(features()))
    made.train()
    assert not torch.equal(made(features()), made(features()))


def test_gradient_step_lowers_the_loss() -> None:
    """The head can learn."""
    made = head(dropout=0.0).train()
    before = made.loss(features(), samples([0, 1, 2]))['loss']
    before.backward()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter -= 0.01 * parameter.grad
    assert made.loss(features(), samples([0, 1, 2]))['loss'] < before
