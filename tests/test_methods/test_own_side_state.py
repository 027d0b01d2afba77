"""A method of one's own: a narrow state flows beside the blocks, by layers that all blocks share (as in STAG)."""

from __future__ import annotations

import pytest
import torch
from small_models import SMALL_BACKBONES, build_classifier, clouds, logits, train
from torch import Tensor, nn

from point_peft.backbones import PointBackbone
from point_peft.methods import TuningContext, TuningMethod
from point_peft.ops import gather, knn
from point_peft.registry import MODELS


class SideState(TuningMethod):
    """Reads what enters every block of the last stage; in its second half adds to what leaves."""

    def setup(self, backbone: PointBackbone) -> None:
        """Shared layers; no gradient is needed below the blocks whose output is changed."""
        self.read = [i for i, stage in enumerate(backbone.layer_stages) if stage == backbone.layer_stages[-1]]
        self.gradient_from = self.read[len(self.read) // 2]
        self.down, self.mix = nn.Linear(backbone.embed_dim, 8), nn.Linear(8, 8)
        self.up = nn.Linear(8, backbone.embed_dim)

    def begin(self, context: TuningContext) -> Tensor:
        """The nearest centers of each."""
        centers = context.tokens.stage_centers[-1]
        return knn(centers, centers, 4)

    def attach(self, backbone: PointBackbone) -> None:
        """Behind each, where what went in is at hand too."""
        for i in self.read:
            self.on_output(backbone.layers[i], lambda x, output, i=i: self._flow(x, output, i))

    def _flow(self, x: Tensor, output: Tensor, layer: int) -> Tensor:
        state, before = self.down(self.split(x)[1]), self.handed_to(layer)
        state = state if before is None else before + state
        prefix, patches = self.split(output)
        if layer >= self.gradient_from:
            state = self.mix(gather(state, self.state)).amax(dim=2)  # (B, G, 8)
            patches = patches + self.up(state).relu()
        self.hand_on(layer + 1, state)
        return torch.cat([prefix, patches], dim=1)


@pytest.mark.parametrize('name', SMALL_BACKBONES)
def test_learns_without_gradient_below(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it learns, samples do not mix, and the tokens below need no gradient."""
    monkeypatch.setitem(MODELS.module_dict, 'SideState', SideState)
    model = build_classifier([dict(type='SideState')], name=name, fresh=True)
    seen, first = [], model.backbone.backbone.layers[model.backbone.methods[0].gradient_from]
    first.register_forward_pre_hook(lambda _, args: seen.append(args[0].requires_grad))
    losses = train(model, steps=8, lr=0.003)
    assert losses[-1] < losses[0] and seen == [False] * 8
    assert all(p.grad.abs().sum() > 0 for p in model.backbone.methods.parameters())
    alone = torch.cat([logits(model, cloud[None]) for cloud in clouds()])
    torch.testing.assert_close(alone, logits(model, clouds()), atol=1e-4, rtol=0)
