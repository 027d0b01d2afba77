"""A method of one's own: SSF (Lian et al., NeurIPS 2022, arXiv 2210.08823), which can be folded into the weights."""

from __future__ import annotations

import copy

import pytest
import torch
from small_models import SMALL_BACKBONES, build_classifier, clouds, logits, train
from torch import nn

from point_peft.backbones import PointBackbone
from point_peft.methods import TuningMethod
from point_peft.registry import MODELS


class SSF(TuningMethod):
    """Scale and shift what every norm and linear layer of the blocks gives."""

    needed_sites = ('norm1', 'attn.qkv', 'attn.proj', 'norm2', 'mlp.fc1', 'mlp.fc2')

    def setup(self, backbone: PointBackbone) -> None:
        """One scale and one shift per channel, at the identity."""
        widths = [layer.weight.shape[0] for site in self.needed_sites for layer in backbone.sites(site)]
        self.scales = nn.ParameterList(torch.ones(width) for width in widths)
        self.shifts = nn.ParameterList(torch.zeros(width) for width in widths)

    def attach(self, backbone: PointBackbone) -> None:
        """Behind each of them."""
        layers = [layer for site in self.needed_sites for layer in backbone.sites(site)]
        for layer, scale, shift in zip(layers, self.scales, self.shifts):
            self.on_output(layer, lambda _, x, scale=scale, shift=shift: x * scale + shift)

    def fold(self, backbone: PointBackbone) -> None:
        """Put them into the weights of a detached backbone."""
        layers = [layer for site in self.needed_sites for layer in backbone.sites(site)]
        for layer, scale, shift in zip(layers, self.scales, self.shifts):
            layer.weight.data *= scale if layer.weight.dim() == 1 else scale[:, None]
            bias = shift if layer.bias is None else layer.bias * scale + shift
            layer.bias = nn.Parameter(bias.detach())


@pytest.mark.parametrize('name', SMALL_BACKBONES)
def test_trains_and_folds(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It starts at the identity, learns, and the folded plain network computes the same."""
    monkeypatch.setitem(MODELS.module_dict, 'SSF', SSF)
    model = build_classifier([dict(type='SSF')], name=name, fresh=True)
    assert torch.equal(logits(model, clouds()), logits(build_classifier(name=name, fresh=True), clouds()))
    losses = train(model, steps=8, lr=0.003)
    assert losses[-1] < losses[0]
    method = model.backbone.methods[0]
    expected = model.eval().backbone(clouds())
    plain = copy.deepcopy(model.backbone.detach())
    method.fold(plain)
    torch.testing.assert_close(plain(clouds()).patches, expected.patches, atol=2e-5, rtol=0)
