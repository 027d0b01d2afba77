"""The patch embedding against the convolutions that it stands for."""

from __future__ import annotations

import copy

import pytest
import torch
from small_models import scramble
from torch import Tensor, nn

from point_peft.backbones.layers import PatchEmbed, position_mlp


def embed_slowly(layer: PatchEmbed, neighborhoods: Tensor) -> Tensor:
    """The published form: 1x1 convolutions on (B*G, C, K), the pooled feature repeated for every point."""
    batch, groups, size, _ = neighborhoods.shape
    x = neighborhoods.reshape(batch * groups, size, -1).transpose(2, 1)
    x = layer.first_conv(x)
    pooled = x.max(dim=2, keepdim=True)[0].expand(-1, -1, size)
    x = layer.second_conv(torch.cat([pooled, x], dim=1))
    return x.max(dim=2)[0].view(batch, groups, -1)


@pytest.fixture
def layer() -> PatchEmbed:
    """A small embedding in float64."""
    layer = PatchEmbed(10, hidden_dims=(6, 7, 9))
    scramble(layer)
    return layer.double()


@pytest.mark.parametrize('training', [True, False])
def test_against_convolutions(layer: PatchEmbed, training: bool) -> None:
    """Same features, gradients and batch-norm statistics."""
    x = torch.randn(2, 3, 5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    layer.train(training)
    reference = copy.deepcopy(layer)
    probe = torch.randn(2, 3, 10, dtype=torch.float64)
    for module, embed in ((layer, layer), (reference, lambda x: embed_slowly(reference, x))):
        module.result = embed(x)
        (module.result * probe).sum().backward()
    torch.testing.assert_close(layer.result, reference.result, atol=1e-12, rtol=0)
    for (name, ours), theirs in zip(layer.named_parameters(), reference.parameters()):
        torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-11, rtol=0, msg=name)
    for (name, ours), theirs in zip(layer.named_buffers(), reference.buffers()):
        torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=0, msg=name)
    moved = (layer.first_conv[1].num_batches_tracked > 0).item()
    assert moved == training


def test_order_and_repetition_of_points(layer: PatchEmbed) -> None:
    """A group is a set: in eval mode order and repeated points change nothing."""
    layer.eval()
    x = torch.randn(1, 2, 6, 3, dtype=torch.float64)
    shuffled = x[:, :, torch.randperm(6)]
    torch.testing.assert_close(layer(x), layer(shuffled), atol=1e-12, rtol=0)
    torch.testing.assert_close(layer(x), layer(torch.cat([x, x[:, :, :2]], dim=2)), atol=1e-12, rtol=0)


def test_more_channels() -> None:
    """Normals or colours come in as further channels."""
    assert PatchEmbed(8, in_channels=6)(torch.randn(2, 3, 4, 6)).shape == (2, 3, 8)
    with pytest.raises(RuntimeError):
        PatchEmbed(8)(torch.randn(2, 3, 4, 6))


def test_official_names() -> None:
    """Weights are stored as those of 1x1 convolutions."""
    shapes = {
        name: tuple(value.shape) for name, value in PatchEmbed(384).named_parameters() if value.dim() > 1
    }
    assert shapes == {
        'first_conv.0.weight': (128, 3, 1),
        'first_conv.3.weight': (256, 128, 1),
        'second_conv.0.weight': (512, 512, 1),
        'second_conv.3.weight': (384, 512, 1),
    }


def test_position_mlp() -> None:
    """3 - 128 - C with a GELU."""
    mlp = position_mlp(16)
    assert [type(layer) for layer in mlp] == [nn.Linear, nn.GELU, nn.Linear]
    assert (mlp[0].in_features, mlp[0].out_features, mlp[2].out_features) == (3, 128, 16)
