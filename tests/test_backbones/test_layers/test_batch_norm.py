"""Batch norm that counts every batch once."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from point_peft.backbones.layers import BatchNorm1d


@pytest.mark.parametrize('use_reentrant', [True, False])
@pytest.mark.parametrize('options', [{}, dict(affine=False), dict(momentum=None)])
def test_recomputation_counts_once(use_reentrant: bool, options: dict) -> None:
    """Statistics, counter and gradient are those of torch's norm that runs once."""
    ours, theirs = BatchNorm1d(4, **options), nn.BatchNorm1d(4, **options)
    x = torch.randn(6, 4) + 1
    gradients = []
    for forward in (lambda x: checkpoint(ours, x, use_reentrant=use_reentrant), theirs):
        leaf = x.clone().requires_grad_()
        forward(leaf).sin().sum().backward()
        gradients.append(leaf.grad)
    torch.testing.assert_close(*gradients)
    for name, buffer in theirs.named_buffers():
        assert torch.equal(ours.get_buffer(name), buffer), name


def test_one_object() -> None:
    """What torch says about values per channel is said about objects; evaluation takes a single one."""
    norm = BatchNorm1d(4)
    with pytest.raises(
        ValueError, match='a batch of one object in training, .*; set train_dataloader.batch_size'
    ):
        norm(torch.randn(1, 4))
    norm(torch.randn(1, 4, 2))
    assert norm.eval()(torch.randn(1, 4)).shape == (1, 4)
