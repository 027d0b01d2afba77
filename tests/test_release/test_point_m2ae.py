"""The released Point-PEFT on Point-M2AE; its numbers are tested in test_parity."""

from __future__ import annotations

import golden_inputs
import pytest
import torch
from mmengine.registry import init_default_scope
from small_models import clouds

from point_peft.models import PointClassifier
from point_peft.release import ReleasePointPEFTM2AE
from point_peft.release.point_m2ae import NUM_TOKENS, shifted_mask

PUBLISHED_RULE = (
    'prompt_cor',
    'proj.bias',
    'fc2.bias',
    'fc1.bias',
    'norm2.bias',
    'norm1.bias',
    'attn.qkv.bias',
    'cls_head_',
    'norm.',
    '.adapter',
    'adapter1',
    'out_transform',
    'norm3',
    'attn1.',
    'prompt_embeddings',
    'cp',
    '.gate',
    'ad_gate',
)
"""Parts of names that the release trains."""

SMALL = dict(
    num_groups=(48, 40, 36),
    group_size=(8, 8, 8),
    prior=dict(num_groups=(32, 16, 8), group_size=(8, 4, 4)),
)


@pytest.fixture(scope='module')
def model() -> ReleasePointPEFTM2AE:
    """The release on small clouds, as initialised, with an empty bank."""
    torch.manual_seed(0)
    return ReleasePointPEFTM2AE(**SMALL).eval()


@pytest.fixture(scope='module')
def classifier() -> PointClassifier:
    """Full size, without storage."""
    init_default_scope('point_peft')
    head = dict(type='PointClsHead', num_classes=15, pool=('mean', 'max'))
    with torch.device('meta'):
        return PointClassifier(dict(type='ReleasePointPEFTM2AE'), head)


def test_official_names_and_shapes(classifier: PointClassifier) -> None:
    """The published model, the encoder of its prior and its bank; nothing else."""
    published = golden_inputs.description('pointpeft_m2ae')
    expected = {
        ('head.' if name.startswith('cls_head_') else 'backbone.') + name: shape
        for name, shape in published['state0']
    }
    prior = [(name, shape) for name, shape in published['state1'] if name.startswith('h_encoder.')]
    expected |= {f'backbone.prior.{name}': shape for name, shape in prior}
    ours = {name: list(value.shape) for name, value in classifier.state_dict().items()}
    assert ours.pop('backbone.memory_bank') == [384, 0]
    assert ours == expected


def test_trained_by_the_published_rule(classifier: PointClassifier) -> None:
    """The parameters that name themselves are those that the published substrings select: 661 046 of 13 287 798."""
    own = {
        name: parameter
        for name, parameter in classifier.named_parameters()
        if not name.startswith('backbone.prior.')
    }
    published = {name: 'module.' + name.removeprefix('backbone.').removeprefix('head.') for name in own}
    by_rule = {name for name in own if any(part in published[name] for part in PUBLISHED_RULE)}
    trained = {name: p.numel() for name, p in classifier.named_parameters() if p.requires_grad}
    assert by_rule == set(trained) and sum(trained.values()) == 661_046
    assert sum(p.numel() for p in own.values()) == 13_287_798


def test_feed_forward_is_off_at_the_start(model: ReleasePointPEFTM2AE) -> None:
    """The gates are 0, so 105 trained tensors (131 280 numbers) get a gradient of zero; none gets none."""
    model.load_state_dict({'memory_bank': golden_inputs.memory_bank(30)}, strict=False)
    features = model(clouds(2, 80))
    (features.patches.mean(dim=1) * torch.randn(384)).sum().backward()
    gradients = {name: p.grad for name, p in model.named_parameters() if p.requires_grad}
    assert all(gradient is not None for gradient in gradients.values())
    zero = {name: gradient.numel() for name, gradient in gradients.items() if not gradient.any()}
    parts = ('norm2.bias', 'fc1.bias', 'fc2.bias', '.adapter.')
    assert set(zero) == {name for name in gradients if any(part in name for part in parts)}
    assert len(zero) == 105 and sum(zero.values()) == 131_280
    assert all(p.grad is None for p in model.parameters() if not p.requires_grad)
    model.zero_grad(set_to_none=True)
    model.load_state_dict({'memory_bank': torch.zeros(384, 0)}, strict=False)


def test_empty_bank(model: ReleasePointPEFTM2AE, log: list) -> None:
    """Runs, with one warning; hidden tokens are counted over the stages and not normed."""
    model.warned_empty = False
    with torch.no_grad():
        features = model(clouds(2, 80), hidden_layers=[0, 5, 14])
        again = model(clouds(2, 80))
    assert features.patches.shape == (2, 36, 384) and features.prefix.shape == (2, 0, 384)
    assert [tuple(features.hidden[layer].shape) for layer in (0, 5, 14)] == [
        (2, 48, 96),
        (2, 40, 192),
        (2, 36, 384),
    ]
    assert features.centers.shape == (2, 36, 3) and torch.equal(features.patches, again.patches)
    torch.testing.assert_close(model.norm(features.hidden[14]), features.patches)
    assert log.at('WARNING') == ['the memory bank is empty: prompts are not enhanced.']


@torch.no_grad()
def test_only_the_last_stage_sees_the_bank(model: ReleasePointPEFTM2AE) -> None:
    """14 rows are retrieved; tokens of the first two stages do not depend on them."""
    bank = golden_inputs.memory_bank(30)
    without = model(clouds(2, 80), hidden_layers=[9, 10]).hidden
    model.load_state_dict({'memory_bank': bank}, strict=False)
    assert torch.equal(model.memory_bank, bank)
    rows = model.query_bank(clouds(2, 80))
    with_bank = model(clouds(2, 80), hidden_layers=[9, 10]).hidden
    model.load_state_dict({'memory_bank': bank[:, :0]}, strict=False)
    assert rows.shape == (2, NUM_TOKENS, 384) and all((row == bank.T).all(1).any() for row in rows[0, 2:])
    torch.testing.assert_close(rows[:, 0], model.prior.summarize(model.prior.embed(clouds(2, 80))))
    assert torch.equal(without[9], with_bank[9])
    assert (without[10] - with_bank[10]).abs().max() > 1e-3


@torch.no_grad()
def test_other_clouds_leak_in(model: ReleasePointPEFTM2AE) -> None:
    """The first cloud of a batch is as when alone, the second is not; the order of a batch matters."""
    points = clouds(2, 80)
    together = model(points).patches
    alone = torch.cat([model(cloud.unsqueeze(0)).patches for cloud in points])
    swapped = model(points.flip(0)).patches
    torch.testing.assert_close(together[0], alone[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(swapped[0], alone[1], atol=1e-5, rtol=0)
    assert (together[1] - alone[1]).abs().max() > 1e-2


def test_shifted_mask() -> None:
    """The radius of the tokens is laid over the sequence from its start, where the prompts are."""
    centers = torch.tensor([[[0.0, 0, 0], [0.5, 0, 0], [2.0, 0, 0]]])
    mask = shifted_mask(centers, 1.0)
    assert mask.shape == (1, 1, 3 + NUM_TOKENS, 3 + NUM_TOKENS)
    blocked = [tuple(pair) for pair in (~mask[0, 0]).nonzero().tolist()]
    assert blocked == [(0, 2), (1, 2), (2, 0), (2, 1)]


def test_training_mode(model: ReleasePointPEFTM2AE) -> None:
    """As released, statistics of the frozen embedding move in training; the prior stays in eval mode."""
    model.train()
    assert not any(module.training for module in model.prior.modules())
    before = model.encoders[0].first_conv[1].running_mean.clone()
    model(clouds(2, 80))
    assert (model.encoders[0].first_conv[1].running_mean - before).abs().max() > 1e-4
    model.eval()


def test_too_few_groups() -> None:
    """The last stage needs as many tokens as it has regions."""
    sizes = SMALL | dict(num_groups=(48, 40, 31))
    with pytest.raises(ValueError, match='num_groups=31, but the release has num_regions=32'):
        ReleasePointPEFTM2AE(**sizes).eval()(clouds(1, 80))
