"""Edge convolutions."""

from __future__ import annotations

import pytest
import torch
from small_models import scramble
from torch.nn import functional as F

from point_peft.methods.edge_conv import EdgeConv, EdgeConvStack, feature_neighbors


def tokens(num_tokens: int = 9, *, seed: int = 0) -> torch.Tensor:
    """(3, G, 5) random tokens."""
    return torch.randn(3, num_tokens, 5, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize('training', [True, False])
def test_against_the_formula(training: bool) -> None:
    """The maximum over neighbours of the layers on ``[x_j - x_i, x_i]``."""
    conv, x = EdgeConv(5, 7), tokens()
    scramble(conv)
    conv.train(training)
    index = feature_neighbors(x, 4)
    near = x[torch.arange(3).view(3, 1, 1), index]  # (3, 9, 4, 5)
    here = x.unsqueeze(2).expand_as(near)
    edges = torch.cat([near - here, here], dim=-1) @ conv.linear.weight.T
    norm = torch.nn.BatchNorm1d(7)
    norm.load_state_dict(conv.norm.state_dict())
    edges = norm.train(training)(edges.flatten(0, 2)).view(3, 9, 4, 7)
    torch.testing.assert_close(conv(x, index), F.leaky_relu(edges, 0.2).amax(dim=2))


def test_neighbors() -> None:
    """By distance, each token first, also where all tokens have a large part in common."""
    x = tokens()
    expected = torch.cdist(x.double(), x.double()).topk(4, largest=False).indices
    assert torch.equal(feature_neighbors(x, 4), expected)
    assert torch.equal(expected[..., 0], torch.arange(9).expand(3, 9))
    far = x + 1000
    exact = torch.cdist(far.double(), far.double()).topk(4, largest=False).indices
    assert torch.equal(feature_neighbors(far, 4), exact)
    with pytest.raises(ValueError, match=r'num_neighbors=10, but there are only 9 tokens'):
        feature_neighbors(x, 10)


@pytest.mark.parametrize('hidden_dims', [(6, 7), ()])
def test_stack(hidden_dims: tuple[int, ...]) -> None:
    """Tokens are a set; without edge convolutions each token is by itself."""
    stack = EdgeConvStack(5, hidden_dims, 8, num_neighbors=3)
    scramble(stack)
    stack.eval()
    out = stack(tokens())
    order = torch.randperm(9, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(stack(tokens()[:, order]), out[:, order])
    assert out.shape == (3, 9, 8)
    if not hidden_dims:
        torch.testing.assert_close(stack(tokens()[:, :1]), out[:, :1])
