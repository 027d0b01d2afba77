"""The classification head."""

from __future__ import annotations

import math

import golden_inputs
import pytest
import torch
from small_models import (
    NUM_CLASSES,
    SMALL_BACKBONES,
    build_classifier,
    clouds,
    logits,
    samples,
    scramble,
    sizes,
    small_config_of,
)
from torch import nn
from torch.nn import functional as F

from point_peft.backbones import AnyBackbone
from point_peft.heads import PointClsHead
from point_peft.heads.pooling import pool_tokens
from point_peft.models import PointClassifier
from point_peft.structures import BackboneFeatures, PointTokens


def features(batch: int = 3, dim: int = 4, seed: int = 0, *, num_prefix: int = 1) -> BackboneFeatures:
    """Random tokens: five patches, some prefix tokens of which the last is the class token."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randn(batch, num_prefix + 5, dim, generator=generator)
    return of_tokens(tokens[:, num_prefix:], tokens[:, :num_prefix], class_index=num_prefix - 1)


def of_tokens(patches: torch.Tensor, prefix: torch.Tensor, *, class_index: int = 0) -> BackboneFeatures:
    """Features of these tokens (B, G, C) and (B, P, C); all centers are at the origin."""
    batch, count, _ = patches.shape
    centers, neighborhoods = torch.zeros(batch, count, 3), torch.zeros(batch, count, 2, 3)
    tokens = PointTokens(patches, centers, neighborhoods, torch.zeros(batch, count).long())
    return BackboneFeatures(patches, tokens, prefix, class_index=class_index)


def head(num_classes: int = 3, *, num_prefix_tokens: int = 1, **arguments: object) -> PointClsHead:
    """A small head in eval mode with random weights."""
    backbone = sizes(4, num_prefix_tokens=num_prefix_tokens)
    made = PointClsHead(backbone, num_classes, **(dict(hidden_dims=(8,)) | arguments))
    scramble(made)
    return made.eval()


def fixed_head(**arguments: object) -> PointClsHead:
    """A head whose logits are the two values of the max-pooled token."""
    made = PointClsHead(sizes(2), 2, pool=['max'], hidden_dims=(), **arguments).eval()
    made.cls_head_finetune[0] = nn.Identity()
    with torch.no_grad():
        made.cls_head_finetune[1].weight.copy_(torch.eye(2))
        made.cls_head_finetune[1].bias.zero_()
    return made


def loss_of(made: PointClsHead, given: BackboneFeatures, labelled: list) -> dict[str, torch.Tensor]:
    """The loss of what a head makes of features."""
    return made.loss(made(given, {}), labelled)


def constant(values: list[list[float]]) -> BackboneFeatures:
    """Features whose max-pooled tokens are ``values``."""
    patches = torch.tensor(values).unsqueeze(1)
    return of_tokens(patches, patches[:, :0])


def test_official_names_and_shapes() -> None:
    """By default the published head, which loads without renaming."""
    published = dict(golden_inputs.description('pointmae_cls')['state0'])
    expected = {name: shape for name, shape in published.items() if name.startswith('cls_head_finetune.')}
    with torch.device('meta'):
        ours = PointClsHead(sizes(384), 15).state_dict()
    assert {name: list(value.shape) for name, value in ours.items()} == expected
    assert sum(math.prod(shape) for name, shape in expected.items() if 'running' not in name) - 2 == 267_535


PUBLISHED = {
    'pointbert_cls': (40, 1, dict(hidden_dims=(256,), batch_norm=False)),
    'pointm2ae_cls': (15, 0, dict(pool=('mean', 'max'))),
    'pointm2ae_cls_modelnet': (40, 0, dict(pool=('sum',))),
    'recon_cls': (15, 3, dict(pool=('prefix', 'max'))),
    'pointgpt_s_cls': (15, 2, dict(pool=('cls', 'max'), token_norm=True)),
}
"""Classes, prefix tokens and arguments of the published heads, by the name of the golden file."""


@pytest.mark.parametrize('key', PUBLISHED)
def test_official_heads(key: str) -> None:
    """The heads of the other backbones, under the official names but for a module that PointGPT's are in."""
    published = {
        name.removeprefix('blocks.'): shape for name, shape in golden_inputs.description(key)['state0']
    }
    parts = ('cls_head_finetune.', 'cls_norm.')
    expected = {name: shape for name, shape in published.items() if name.startswith(parts)}
    num_classes, num_prefix_tokens, arguments = PUBLISHED[key]
    with torch.device('meta'):
        backbone = sizes(384, num_prefix_tokens=num_prefix_tokens)
        ours = PointClsHead(backbone, num_classes, **arguments).state_dict()
    assert expected and {name: list(value.shape) for name, value in ours.items()} == expected


POOLED = [['prefix', 'max'], ['max'], ['max', 'mean', 'prefix'], ['cls', 'sum']]


@pytest.mark.parametrize('num_prefix', [1, 3])
@pytest.mark.parametrize('pool', POOLED)
def test_pools(pool: list[str], num_prefix: int) -> None:
    """The first layer takes what is pooled."""
    made = head(pool=pool, num_prefix_tokens=num_prefix)
    given = features(num_prefix=num_prefix)
    parts = {'max': given.patches.amax(1), 'mean': given.patches.mean(1)}
    parts |= {
        'prefix': given.prefix.flatten(1),
        'cls': given.prefix[:, -1],
        'sum': parts['max'] + parts['mean'],
    }
    expected = made.cls_head_finetune(torch.cat([parts[part] for part in pool], dim=1))
    assert torch.equal(made(given, {}), expected) and expected.shape == (3, 3)


def test_token_norm() -> None:
    """Patch and prefix tokens are normed one by one before they are pooled; the features stay as they were."""
    made, given = head(token_norm=True, pool=['prefix', 'max']), features()
    patches, prefix = made.cls_norm(given.patches), made.cls_norm(given.prefix)
    expected = made.cls_head_finetune(torch.cat([prefix[:, 0], patches.amax(1)], dim=1))
    assert torch.equal(made(given, {}), expected) and torch.equal(given.patches, features().patches)
    assert not torch.allclose(expected, made.cls_head_finetune(pool_tokens(given, ['prefix', 'max'])))


def test_without_batch_norm() -> None:
    """Then the logits of a cloud do not depend on its batch even in training."""
    made = head(batch_norm=False, dropout=0.0).train()
    assert not any(isinstance(layer, nn.BatchNorm1d) for layer in made.modules())
    torch.testing.assert_close(
        made(features(), {})[:1], made(of_tokens(features().patches[:1], features().prefix[:1]), {})
    )


@pytest.mark.parametrize('hooks', [None, []])
@pytest.mark.parametrize('name', SMALL_BACKBONES)
def test_backbones(name: str, hooks: list | None) -> None:
    """The model tells the head of the backbone's prefix tokens, plain or wrapped."""
    model = build_classifier(hooks, name=name, head=dict(pool=('prefix', 'max')))
    expected = 48 * (1 + model.backbone.num_prefix_tokens)
    assert model.head.cls_head_finetune[0].in_features == expected
    assert logits(model, clouds(2)).shape == (2, NUM_CLASSES)


class WidthOnly(nn.Module):
    """A head that takes nothing but the width."""

    def __init__(self, backbone: AnyBackbone) -> None:
        super().__init__()
        self.embed_dim = backbone.embed_dim


class Derived(PointClsHead):
    """A head that hands its arguments on."""

    def __init__(self, backbone: AnyBackbone, **arguments: object) -> None:
        super().__init__(backbone, 4, **arguments)


@pytest.mark.parametrize('peft', [None, dict(type='PEFTBackbone', methods=[])])
def test_a_head_asks_its_backbone(peft: dict | None) -> None:
    """Plain or tuned, a subclass's too; it keeps nothing of it, so that each parameter has one name."""
    backbone = small_config_of('ReCon')
    assert PointClassifier(backbone, dict(type=WidthOnly), peft=peft).head.embed_dim == 48
    model = PointClassifier(backbone, dict(type=Derived, pool=('prefix',)), peft=peft)
    assert model.head.cls_head_finetune[0].in_features == 3 * 48
    assert all(name.startswith('cls_head_finetune.') for name in model.head.state_dict())


def test_linear_head() -> None:
    """Without hidden layers: batch norm without parameters, then one linear layer."""
    made = head(hidden_dims=(), pool=['max', 'mean'])
    norm, linear = made.cls_head_finetune
    assert isinstance(norm, nn.BatchNorm1d) and not norm.affine and isinstance(linear, nn.Linear)
    assert sum(p.numel() for p in made.parameters()) == 8 * 3 + 3
    pooled = torch.cat([features().patches.amax(1), features().patches.mean(1)], dim=1)
    logits = F.linear((pooled - pooled.mean(0)) / (pooled.var(0, correction=0) + 1e-5).sqrt(), linear.weight)
    torch.testing.assert_close(made.train()(features(), {}), logits + linear.bias)


def test_loss_by_hand() -> None:
    """Logits (0, ln 3): probabilities 1/4 and 3/4."""
    loss = loss_of(fixed_head(), constant([[0.0, math.log(3)], [0.0, math.log(3)]]), samples([0, 1]))
    assert loss['loss'].item() == pytest.approx(-(math.log(1 / 4) + math.log(3 / 4)) / 2)


def test_label_smoothing_by_hand() -> None:
    """Smoothing 0.2 over two classes gives targets 0.9 and 0.1."""
    loss = loss_of(fixed_head(label_smoothing=0.2), constant([[0.0, math.log(3)]]), samples([0]))
    assert loss['loss'].item() == pytest.approx(-(0.9 * math.log(1 / 4) + 0.1 * math.log(3 / 4)))


def test_predict_by_hand() -> None:
    """Softmax scores and the best class, written into the samples that were given."""
    given = samples([1, 1])
    made = fixed_head()
    found = made.to_samples(made(constant([[0.0, math.log(3)], [2.0, 2.0 - math.log(4)]]), {}), {}, given)
    assert found[0] is given[0] and [int(sample.pred_label) for sample in found] == [1, 0]
    torch.testing.assert_close(found[0].pred_scores, torch.tensor([0.25, 0.75]))
    torch.testing.assert_close(found[1].pred_scores, torch.tensor([0.8, 0.2]))
    assert [int(sample.gt_label) for sample in found] == [1, 1]


def test_predict_without_samples() -> None:
    """New samples are made."""
    found = head().to_samples(head()(features(), {}), {}, None)
    assert len(found) == 3 and all(sample.pred_scores.sum().item() == pytest.approx(1) for sample in found)


@pytest.mark.parametrize('label', [-1, 3, 40])
def test_label_outside_the_head(label: int) -> None:
    """The message names the source, the label, the number of classes and the config key."""
    message = rf'label {label} of toy\.h5\[1\] is outside the head\'s 3 classes; set model\.head\.num_classes'
    with pytest.raises(ValueError, match=message):
        loss_of(head(), features(), samples([0, label, 2]))


def test_dropout_in_training_only() -> None:
    """Random in train mode."""
    made = head(dropout=0.5)
    assert torch.equal(made(features(), {}), made(features(), {}))
    made.train()
    assert not torch.equal(made(features(), {}), made(features(), {}))


def test_gradient_step_lowers_the_loss() -> None:
    """The head can learn."""
    made = head(dropout=0.0).train()
    before = loss_of(made, features(), samples([0, 1, 2]))['loss']
    before.backward()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter -= 0.01 * parameter.grad
    assert loss_of(made, features(), samples([0, 1, 2]))['loss'] < before
