"""Masked autoencoding pre-training."""

from __future__ import annotations

import golden_inputs
import pytest
import slow_masked_autoencoder
import torch
from small_models import BACKBONE, clouds, scramble

from point_peft.models import PointMAEPretrain

ENCODER = BACKBONE | dict(class_token=False, drop_path_rate=0.0)


def build(*, scrambled: bool = True, mask_ratio: float = 0.6, **changes: object) -> PointMAEPretrain:
    """A small masked autoencoder."""
    torch.manual_seed(0)
    model = PointMAEPretrain(
        ENCODER | changes, decoder_depth=2, decoder_num_heads=3, drop_path_rate=0.0, mask_ratio=mask_ratio
    )
    if scrambled:
        scramble(model)
    return model.eval()


def test_official_names_and_shapes() -> None:
    """29 M parameters under the published names."""
    published = golden_inputs.description('pointmae_pretrain_loss')
    with torch.device('meta'):
        model = PointMAEPretrain(dict(type='PointMAE', num_groups=64, class_token=False))
    ours = {name: list(value.shape) for name, value in model.state_dict().items()}
    assert ours == dict(published['state0'])
    assert sum(p.numel() for p in model.parameters()) == published['params0'] == 29_006_432


@pytest.mark.parametrize('mask_ratio', [0.3, 0.6, 0.9])
def test_loss_against_loop(mask_ratio: float) -> None:
    """Same loss as with boolean indexing, one group at a time, for masks in any order."""
    model = build(mask_ratio=mask_ratio).double()
    points = clouds(3).double()
    torch.manual_seed(1)
    mask = model.random_mask(torch.empty(3, 16, 1))
    ours = model(dict(points=points, mask=mask), mode='loss')['loss']
    slow = slow_masked_autoencoder.loss(model, points, mask)
    torch.testing.assert_close(ours, slow, atol=1e-12, rtol=0)
    other = model(dict(points=points, mask=mask.roll(1, dims=1)), mode='loss')['loss']
    assert (other - ours).abs() > 1e-4  # which groups are masked matters


def test_visible_features_of_masked_groups_do_not_matter() -> None:
    """The network cannot see what it has to rebuild: masked embeddings do not change the prediction."""
    model = build()
    tokens = model.MAE_encoder.embed(clouds(2))
    mask = model.random_mask(tokens.features)
    before = model.reconstruction_loss(tokens, mask)
    tokens.features[mask] *= -3
    assert torch.equal(model.reconstruction_loss(tokens, mask), before)
    tokens.features[~mask] *= -3
    assert (model.reconstruction_loss(tokens, mask) - before).abs() > 1e-4


@pytest.mark.parametrize(('mask_ratio', 'groups', 'expected'), [(0.6, 64, 38), (0.6, 16, 9), (0.99, 16, 15)])
def test_mask_ratio(mask_ratio: float, groups: int, expected: int) -> None:
    """Every cloud has exactly ``int(ratio * G)`` masked groups, chosen independently."""
    torch.manual_seed(0)
    mask = build(mask_ratio=mask_ratio).random_mask(torch.empty(200, groups, 1))
    assert mask.dtype == torch.bool and mask.sum(dim=1).eq(expected).all()
    assert len(mask.unique(dim=0)) > 10
    share = mask.float().mean(dim=0)
    assert (share - expected / groups).abs().max() < 0.15  # no group is preferred


def test_random_loss_is_seeded() -> None:
    """Without a given mask one is drawn from torch's generator."""
    model = build()

    def loss(seed: int) -> float:
        torch.manual_seed(seed)
        return model(dict(points=clouds()), mode='loss')['loss'].item()

    assert loss(0) == loss(0) != loss(1)


def test_overfit() -> None:
    """The loss on one batch falls clearly, and everything gets a gradient."""
    model = build(scrambled=False).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    mask = model.random_mask(torch.empty(4, 16, 1))
    losses = []
    for _ in range(40):
        loss = model(dict(points=clouds(), mask=mask), mode='loss')['loss']
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_descriptor() -> None:
    """``mode='tensor'`` gives the encoder's summary of the whole cloud, unmasked."""
    model = build()
    found = model(dict(points=clouds()))
    assert found.shape == (4, 48)
    assert torch.equal(found, model.MAE_encoder(clouds()).patches.amax(dim=1))


@pytest.mark.parametrize('mask_ratio', [0, 1, -0.2])
def test_bad_ratio(mask_ratio: float) -> None:
    """A share strictly between 0 and 1."""
    with pytest.raises(ValueError, match=rf'mask_ratio={mask_ratio} is outside \(0, 1\)'):
        build(mask_ratio=mask_ratio)


def test_nothing_masked() -> None:
    """A ratio that masks no group of this encoder is refused."""
    with pytest.raises(ValueError, match='mask_ratio=0.05 masks none of the 16 groups'):
        build(mask_ratio=0.05)


def test_unknown_mode() -> None:
    """There is nothing to predict."""
    with pytest.raises(
        ValueError, match="mode='predict' is unknown to PointMAEPretrain; use 'loss' or 'tensor'"
    ):
        build()(dict(points=clouds()), mode='predict')
