"""The layers of the release: what they compute, and that what was repaired changes no number."""

from __future__ import annotations

import pytest
import torch
from small_models import clouds, scramble
from torch import Tensor
from torch.nn import functional as F

from point_peft.ops import group
from point_peft.release.parts import (
    ReleaseAdapter,
    ReleaseBlock,
    ReleaseLocalAttention,
    ReleaseRegions,
    ReleaseStack,
)

DIM = 24
NUM_TOKENS = 4


class Scaled(ReleaseBlock):
    """With scales, and nothing else of its own."""

    center_scale, propagation_scale = 0.3, 0.2


@pytest.fixture
def stack() -> ReleaseStack:
    """One block in eval mode and double precision."""
    stack = ReleaseStack([Scaled(DIM, num_tokens=NUM_TOKENS, takes_cache=True, drop_path=0.0)]).double()
    scramble(stack)
    return stack.eval()


def sampled_centers(batch: int = 3, count: int = 20) -> Tensor:
    """(B, count, 3) in the order of farthest point sampling."""
    return group(clouds(batch).double(), count, 1).centers


def test_regions_are_groups_of_the_centers() -> None:
    """The first centers are those that sampling among the centers picks; offsets count ``G`` rows per sample."""
    centers = sampled_centers()
    regions, expected = ReleaseRegions(centers, 6, 5), group(centers, 6, 5)
    offset = 20 * torch.arange(3)
    assert torch.equal(regions.anchors, (expected.center_index + offset.unsqueeze(1)).flatten())
    neighbors = regions.neighbors.view(3, 6, 5) - offset.view(-1, 1, 1)
    assert torch.equal(neighbors.sort(dim=-1).values, expected.neighbor_index.sort(dim=-1).values)
    squared = (centers.unsqueeze(2) - expected.centers.unsqueeze(1)).square().sum(-1)
    weights = 1 / (squared + 1e-8)
    weights /= weights.sum(-1, keepdim=True)
    torch.testing.assert_close(regions.interpolation, weights, atol=1e-6, rtol=0)


def test_too_few_centers() -> None:
    """One sentence with both numbers."""
    with pytest.raises(
        ValueError, match='num_groups=20, but the release has num_regions=21; raise num_groups'
    ):
        ReleaseRegions(sampled_centers(), 21, 5)


def test_adapter() -> None:
    """Down, x * sigmoid(1.702 x), up; no residual."""
    adapter = ReleaseAdapter(DIM, 8).eval()
    x = torch.randn(5, DIM)
    hidden = x @ adapter.ln1.weight.T + adapter.ln1.bias
    hidden = hidden / (1 + (-1.702 * hidden).exp())
    torch.testing.assert_close(adapter(x), hidden @ adapter.ln2.weight.T + adapter.ln2.bias)


def test_local_attention_with_the_released_scale() -> None:
    """Six heads of dimension 3 with scale 18 ** -0.5, spelled out per region and head."""
    attention = ReleaseLocalAttention(DIM).double()
    rows, index = torch.randn(9, DIM).double(), torch.randint(9, (4, 5))
    expected = []
    for region in index:
        q, k, v = attention.qkv(rows[region]).view(5, 3, 6, 3).unbind(1)  # (5, 6, 3) each
        heads = [(q[:, h] @ k[:, h].T * 18**-0.5).softmax(dim=-1) @ v[:, h] for h in range(6)]
        expected.append(attention.proj(torch.cat(heads, dim=1)))
    torch.testing.assert_close(attention(rows, index), torch.stack(expected))


@pytest.mark.parametrize('num_prompts', [0, NUM_TOKENS])
def test_exchange(stack: ReleaseStack, num_prompts: int) -> None:
    """Norm and attention on gathered neighbours, and a sum over all regions, give the same."""
    (block,) = stack
    regions = ReleaseRegions(sampled_centers(), 6, 5)
    x = torch.randn(3, num_prompts + 20, DIM).double()
    rows = x.flatten(0, 1)
    near = rows[regions.neighbors]  # (3 * 6, 5, C)
    flat, every = stack.norm3(near).flatten(0, 1), torch.arange(18 * 5).view(18, 5)
    pooled = (near + stack.attn1(flat, every)).amax(dim=1)
    pooled = F.gelu(block.out_transform[0](pooled)) + 0.3 * rows[regions.anchors]
    given = (regions.interpolation.unsqueeze(-1) * pooled.view(3, 1, 6, DIM)).sum(dim=2)
    expected = x[:, num_prompts:] + 0.2 * given
    torch.testing.assert_close(block.exchange(x, num_prompts, regions, stack), expected)


@pytest.mark.parametrize(
    ('num_prompts', 'reached'),
    [(0, [[1, 0, 0], [0, 1, 0], [0, 0, 1]]), (NUM_TOKENS, [[1, 1, 0], [0, 1, 1], [0, 0, 1]])],
)
@torch.no_grad()
def test_exchange_leaks_with_prompts(stack: ReleaseStack, num_prompts: int, reached: list[list[int]]) -> None:
    """A change of a sample (row) reaches that sample and, only if there are prompts, the next (column)."""
    (block,) = stack
    regions = ReleaseRegions(sampled_centers(), 6, 5)
    x = torch.randn(3, num_prompts + 20, DIM).double()
    before = block.exchange(x, num_prompts, regions, stack)
    for sample, expected in enumerate(reached):
        other = x.clone()
        other[sample] += 1
        change = (block.exchange(other, num_prompts, regions, stack) - before).abs().amax(dim=(1, 2))
        assert (change > 1e-6).int().tolist() == expected


def test_prompts(stack: ReleaseStack) -> None:
    """The bank's rows are added with what their bottleneck makes of them, where the block takes them."""
    (block,) = stack
    cache = torch.randn(2, NUM_TOKENS, DIM).double()
    assert torch.equal(block.prompts(None), block.prompt_embeddings.unsqueeze(0))
    expected = block.prompt_embeddings + cache + block.cp_adapter(cache)
    torch.testing.assert_close(block.prompts(cache), expected)
    plain = Scaled(DIM, num_tokens=NUM_TOKENS, takes_cache=False, drop_path=0.0).eval()
    assert plain.cp_adapter is None and torch.equal(plain.prompts(cache.float()), plain.prompts(None))
