"""Point-M2AE as the release evaluates it, against a plain spelling with loops and hidden tokens that are computed."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from small_models import clouds, scramble
from torch import Tensor

from point_peft.backbones import PointM2AE
from point_peft.release import ReleasePointM2AEPrior
from point_peft.release.point_m2ae_prior import Packing, visible_tokens
from point_peft.structures import PointTokens

BLOCKED = -1e5


@pytest.fixture(scope='module')
def prior() -> ReleasePointM2AEPrior:
    """Few groups of few points, so that many tokens are merged by nobody, in double precision."""
    prior = ReleasePointM2AEPrior(num_groups=(32, 16, 6), group_size=(8, 3, 2))
    scramble(prior)
    return prior.double().eval()


@pytest.fixture(scope='module')
def tokens(prior: ReleasePointM2AEPrior) -> PointTokens:
    """Four clouds about the size of the radii, with different numbers of visible tokens."""
    with torch.no_grad():
        return prior.embed(0.3 * clouds(4, 80).double())


def visible_by_loops(tokens: PointTokens) -> list[list[list[int]]]:
    """Visible tokens of every stage and cloud, from the last stage back."""
    found = [[list(range(tokens.stage_centers[-1].shape[1])) for _ in tokens.centers]]
    for stage in reversed(tokens.coarser):
        merged = [
            sorted({int(near) for group in groups for near in stage.neighbor_index[sample, group]})
            for sample, groups in enumerate(found[0])
        ]
        found.insert(0, merged)
    return found


def summaries_by_loops(prior: ReleasePointM2AEPrior, tokens: PointTokens) -> list[Tensor]:
    """The descriptors, with values that are added to the scores and with all tokens of all stages."""
    everything, found = tokens.features, []
    for stage, (centers, visible) in enumerate(zip(tokens.stage_centers, visible_by_loops(tokens))):
        encoder = prior.h_encoder
        if stage:
            index = tokens.coarser[stage - 1].neighbor_index
            near = torch.stack([rows[at] for rows, at in zip(everything, index)])
            everything = encoder.token_embed[stage](near)
        longest = max(map(len, visible))
        x = torch.zeros(len(visible), longest, everything.shape[2]).double()
        places, scores = torch.zeros(len(visible), longest, 3).double(), []
        for sample, kept in enumerate(visible):
            x[sample, : len(kept)] = everything[sample, kept]
            places[sample, : len(kept)] = centers[sample, kept]
            far = (torch.cdist(places[sample], places[sample]) >= prior.local_radius[stage]).double()
            far[: len(kept), : len(kept)] = 0
            scores.append(BLOCKED * far)
        added = torch.stack(scores).unsqueeze(1)
        x = encoder.encoder_blocks[stage](x, encoder.encoder_pos_embeds[stage](places), attn_mask=added)
        everything = everything.clone()
        for sample, kept in enumerate(visible):
            everything[sample, kept] = x[sample, : len(kept)]
        normed = encoder.encoder_norms[stage](x)
        found.append(normed.mean(dim=1) + normed.max(dim=1).values)
    return found


def test_visible_tokens(tokens: PointTokens) -> None:
    """Those that some visible token of the next stage merges; their number differs between clouds."""
    ours = [[row.nonzero().flatten().tolist() for row in mask] for mask in visible_tokens(tokens)]
    assert ours == visible_by_loops(tokens)
    counts = [mask.sum(dim=1) for mask in visible_tokens(tokens)]
    assert all(len(set(count.tolist())) > 1 for count in counts[:2])
    assert counts[0].max() < 32 and counts[2].tolist() == [6] * 4


@torch.no_grad()
def test_summaries(prior: ReleasePointM2AEPrior, tokens: PointTokens) -> None:
    """All stages as spelled out; the last one is the descriptor."""
    ours = prior.stage_summaries(tokens)
    for found, expected in zip(ours, summaries_by_loops(prior, tokens), strict=True):
        torch.testing.assert_close(found, expected, atol=1e-10, rtol=0)
    assert torch.equal(prior.summarize(tokens), ours[-1])


@torch.no_grad()
def test_depends_on_the_batch(prior: ReleasePointM2AEPrior) -> None:
    """Fillers count: a cloud is described otherwise beside one with more visible tokens."""
    points = 0.3 * clouds(4, 80).double()
    together = prior.summarize(prior.embed(points))
    alone = torch.cat([prior.summarize(prior.embed(cloud.unsqueeze(0))) for cloud in points])
    difference = (together - alone).abs().amax(dim=1)
    assert difference.max() > 1e-3


@torch.no_grad()
def test_hidden_tokens_take_no_part(prior: ReleasePointM2AEPrior, tokens: PointTokens) -> None:
    """The descriptor does not depend on hidden tokens, but on every visible one."""
    visible = visible_tokens(tokens)[0].unsqueeze(-1)
    expected = prior.summarize(tokens)
    for mask, changes in ((~visible, False), (visible, True)):
        other = replace(tokens, features=tokens.features + mask * torch.randn(96).double())
        assert ((prior.summarize(other) - expected).abs().max() > 1e-3) == changes


@torch.no_grad()
def test_as_the_plain_network_if_nothing_is_hidden() -> None:
    """When every token is merged there are no fillers, and only then it is what ``PointM2AE`` describes."""
    prior = ReleasePointM2AEPrior(num_groups=(12, 6, 3), group_size=(8, 12, 6))
    scramble(prior)
    tokens = prior.eval().embed(clouds(2, 40))
    for found, expected in zip(prior.stage_summaries(tokens), PointM2AE.stage_summaries(prior, tokens)):
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


def test_packing() -> None:
    """Order is kept, fillers are zero, and places are found again."""
    pack = Packing.of(torch.tensor([[False, True, False, True], [True, True, False, True]]))
    rows = torch.arange(1.0, 9).view(2, 4, 1)
    assert pack(rows).squeeze(-1).tolist() == [[2, 4, 0], [5, 6, 8]]
    assert pack.is_token.tolist() == [[True, True, False], [True, True, True]]
    assert pack.position_of(torch.tensor([[3, 1], [0, 3]])).tolist() == [[1, 0], [0, 2]]
    assert pack.position_of(torch.tensor([[0, 0], [0, 0]])).tolist() == [[0, 0], [0, 0]]


def test_coinciding_points(prior: ReleasePointM2AEPrior) -> None:
    """A cloud of one point many times over has hidden first tokens, and a finite descriptor."""
    points = torch.cat([clouds(1, 80).double(), torch.ones(1, 80, 3).double()])
    with torch.no_grad():
        assert prior.summarize(prior.embed(points)).isfinite().all()


def test_names(prior: ReleasePointM2AEPrior) -> None:
    """The norm that fine-tuning adds is not there."""
    assert all(name.startswith('h_encoder.') for name in prior.state_dict())
