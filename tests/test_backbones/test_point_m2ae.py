"""The Point-M2AE backbone: stages of ever fewer tokens, and attention within a radius."""

from __future__ import annotations

import golden_inputs
import pytest
import torch
from small_models import build_plain, clouds
from torch.nn import functional as F

from point_peft.backbones import PointM2AE
from point_peft.backbones.point_m2ae import local_attention_mask
from point_peft.ops import farthest_point_sample, gather

NO_RADIUS = (0.0, 0.0, 0.0)


def test_shapes() -> None:
    """Stage by stage; the head gets the last stage's tokens with their centers and no prefix."""
    backbone = build_plain('PointM2AE')
    assert backbone.layer_stages == [0, 1, 2, 2] and backbone.layer_dims == [12, 24, 48, 48]
    assert backbone.embed_dim == 48 and backbone.num_groups == 32 and backbone.prefix_parameters() == []
    tokens = backbone.embed(clouds())
    assert tokens.features.shape == (4, 32, 12) and tokens.neighborhoods.shape == (4, 32, 8, 3)
    assert [tuple(stage.neighbor_index.shape) for stage in tokens.coarser] == [(4, 16, 4), (4, 8, 4)]
    features = backbone.encode(tokens, hidden_layers=[0, 1, 3])
    assert features.patches.shape == (4, 8, 48) and features.centers.shape == (4, 8, 3)
    assert features.prefix.shape == (4, 0, 48)
    shapes = {index: tuple(value.shape) for index, value in features.hidden.items()}
    assert shapes == {0: (4, 32, 12), 1: (4, 16, 24), 3: (4, 8, 48)}


def test_coarser_centers_are_farthest_points() -> None:
    """Taking the first centers is what farthest point sampling of the stage's centers gives."""
    tokens = build_plain('PointM2AE').embed(clouds(8))
    stages = tokens.stage_centers
    for fine, coarse in zip(stages, stages[1:]):
        assert torch.equal(coarse, gather(fine, farthest_point_sample(fine, coarse.shape[1])))


def test_merged_tokens_are_the_nearest() -> None:
    """By a slow search; the first is the token at the same place."""
    tokens = build_plain('PointM2AE').embed(clouds(2))
    stages = tokens.stage_centers
    for fine, stage in zip(stages, tokens.coarser):
        for sample in range(2):
            for number, center in enumerate(stage.centers[sample]):
                distance = (fine[sample] - center).square().sum(dim=1)
                nearest = sorted(range(len(distance)), key=lambda index: distance[index].item())[:4]
                assert stage.neighbor_index[sample, number].tolist() == nearest and nearest[0] == number


def test_merging() -> None:
    """The tokens around a coarse center go through the stage's own PointNet, as points do in the first stage."""
    backbone = build_plain('PointM2AE')
    tokens = backbone.embed(clouds())
    x = torch.randn(4, 32, 12)
    assert backbone.merge(x, tokens, 0) is x
    merged = backbone.merge(x, tokens, 1)
    for number in range(16):
        around = torch.stack([x[i, tokens.coarser[0].neighbor_index[i, number]] for i in range(4)])
        alone = backbone.h_encoder.token_embed[1](around.unsqueeze(1))
        torch.testing.assert_close(merged[:, number : number + 1], alone, atol=1e-5, rtol=0)


def test_stages_written_out() -> None:
    """Merge, positions before every block, attention within the stage's radius; the norm at the end only."""
    backbone = build_plain('PointM2AE')
    tokens = backbone.embed(clouds())
    x = tokens.features
    for stage, (centers, radius) in enumerate(zip(tokens.stage_centers, backbone.local_radius)):
        x = backbone.merge(x, tokens, stage)
        pos = backbone.h_encoder.encoder_pos_embeds[stage](centers)
        near = (torch.cdist(centers, centers) < radius).unsqueeze(1)
        for block in backbone.h_encoder.encoder_blocks[stage].blocks:
            x = block(x + pos, attn_mask=near)
    torch.testing.assert_close(backbone.encode(tokens).patches, backbone.norm(x))


@pytest.mark.parametrize('radius', [0.32, 1.0, 2.0])
def test_mask_against_a_loop(radius: float) -> None:
    """True where two centers are closer than the radius; never False on the diagonal."""
    centers = clouds(2, 12)
    mask = local_attention_mask(centers, radius)
    assert mask.shape == (2, 1, 12, 12) and mask.dtype == torch.bool
    for sample in range(2):
        for i in range(12):
            for j in range(12):
                near = sum((centers[sample, i] - centers[sample, j]) ** 2).sqrt().item() < radius
                assert mask[sample, 0, i, j].item() == near
    assert mask.diagonal(dim1=2, dim2=3).all()


def test_radius_is_exclusive() -> None:
    """At exactly the radius a token is not seen; without a radius there is no mask."""
    centers = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [3, 0, 0]]])
    assert local_attention_mask(centers, 1.0)[0, 0].tolist() == torch.eye(3).bool().tolist()
    assert local_attention_mask(centers, 1.5)[0, 0].tolist() == [[True, True, False]] * 2 + [
        [False, False, True]
    ]
    assert local_attention_mask(centers, 0) is None


def test_far_tokens_are_not_seen() -> None:
    """In a block of the first stage, changing a token reaches those within the radius and no other."""
    backbone = build_plain('PointM2AE')
    tokens = backbone.embed(clouds())
    changed = tokens.features.clone()
    changed[:, 5] += torch.randn(12)
    here = backbone.encode(tokens, hidden_layers=[0]).hidden[0]
    there = backbone.encode(
        type(tokens)(**(vars(tokens) | dict(features=changed))), hidden_layers=[0]
    ).hidden[0]
    near = (tokens.centers - tokens.centers[:, 5:6]).norm(dim=-1) < backbone.local_radius[0]
    assert torch.equal((here - there).abs().amax(dim=-1) > 0, near)
    assert near.sum() > 8 and not near.any(dim=0).all()


def test_radius_matters_and_the_summary_ignores_it() -> None:
    """Fine-tuning attends within radii, pre-training did not: the descriptor does not depend on them."""
    near, all_seen = build_plain('PointM2AE'), build_plain('PointM2AE', local_radius=NO_RADIUS)
    tokens = near.embed(clouds())
    assert (near.encode(tokens).patches - all_seen.encode(tokens).patches).abs().max() > 1e-2
    assert torch.equal(near.summarize(tokens), all_seen.summarize(tokens))


def test_summary_written_out() -> None:
    """Mean plus maximum over the last tokens behind a norm without weights, or behind the pre-trained one."""
    backbone = build_plain('PointM2AE', local_radius=NO_RADIUS)
    seen = []
    backbone.layers[-1].register_forward_hook(lambda _, args, x: seen.append(x))
    backbone(clouds())
    normed = F.layer_norm(seen[0], (48,))
    tokens = backbone.embed(clouds())
    torch.testing.assert_close(backbone.summarize(tokens), normed.mean(dim=1) + normed.amax(dim=1))
    with torch.no_grad():
        backbone.norm.weight.fill_(7)  # the final norm is not pre-trained
    torch.testing.assert_close(backbone.summarize(tokens), normed.mean(dim=1) + normed.amax(dim=1))

    backbone = build_plain('PointM2AE', local_radius=NO_RADIUS, stage_norms=True)
    backbone.layers[-1].register_forward_hook(lambda _, args, x: seen.append(x))
    backbone(clouds())
    normed = backbone.h_encoder.encoder_norms[2](seen[-1])
    summaries = backbone.stage_summaries(backbone.embed(clouds()))
    assert [tuple(value.shape) for value in summaries] == [(4, 12), (4, 24), (4, 48)]
    torch.testing.assert_close(summaries[2], normed.mean(dim=1) + normed.amax(dim=1))


def test_published_norms_of_the_stages() -> None:
    """With ``stage_norms`` the encoder has exactly the tensors of the pre-trained one."""
    published = dict(golden_inputs.description('pointm2ae_prior_eval')['state0'])
    encoder = {name: shape for name, shape in published.items() if name.startswith('h_encoder.')}
    with torch.device('meta'):
        state = PointM2AE(stage_norms=True).state_dict()
    assert {name: list(value.shape) for name, value in state.items() if 'h_encoder' in name} == encoder


def test_drop_path_grows_over_all_stages() -> None:
    """From 0 in the first block of the first stage to the given rate in the last of the last."""
    rates = [block.drop_path.rate for block in build_plain('PointM2AE', drop_path_rate=0.3).layers]
    assert rates == pytest.approx([0, 0.1, 0.2, 0.3])


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(num_groups=(80, 16, 8)), 'num_points=64 < num_groups=80'),
        (dict(group_size=(8, 40, 4)), 'num_points=32 < k=40'),
    ],
)
def test_too_few(changes: dict, message: str) -> None:
    """Fewer points than groups, or fewer tokens than are to be merged."""
    with pytest.raises(ValueError, match=message):
        build_plain('PointM2AE', **changes).embed(clouds())
