"""A method of one's own: the instance-aware prompt of IDPT (Zha et al., ICCV 2023, arXiv 2304.07221)."""

from __future__ import annotations

import pytest
import torch
from small_models import SMALL_BACKBONES, build_classifier, clouds, logits, train
from torch import Tensor, nn

from point_peft.backbones import PointBackbone
from point_peft.methods import Inserted, TuningMethod
from point_peft.ops import gather
from point_peft.registry import MODELS


class InstancePrompt(TuningMethod):
    """Three EdgeConvs in feature space make one token of the patch tokens; it enters the last block and stays."""

    num_kept_tokens = 1

    def setup(self, backbone: PointBackbone) -> None:
        """Layers of the last stage's width."""
        dim = backbone.layer_dims[-1]
        self.last = len(backbone.layers) - 1
        self.convs = nn.ModuleList(nn.Linear(2 * dim, dim) for _ in range(3))
        self.join = nn.Linear(3 * dim, dim)
        self.place = nn.Parameter(nn.init.trunc_normal_(torch.empty(1, 1, dim), std=0.02))

    def tokens_before(self, layer: int, x: Tensor) -> Inserted | None:
        """The prompt (B, 1, C)."""
        if layer != self.last:
            return None
        x, found = self.split(x)[1], []
        for conv in self.convs:
            near = gather(x, torch.cdist(x, x).topk(4, largest=False).indices)  # (B, G, K, C)
            here = x.unsqueeze(2).expand_as(near)
            x = nn.functional.leaky_relu(conv(torch.cat([near - here, here], dim=-1)), 0.2).amax(dim=2)
            found.append(x)
        prompt = self.join(torch.cat(found, dim=-1)).amax(dim=1, keepdim=True)
        return Inserted(prompt, stay=True, positions=self.place)


@pytest.mark.parametrize('name', SMALL_BACKBONES)
def test_reaches_the_head(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The head reads prefix, prompt and maximum; the prompt is of each cloud alone, and learns."""
    monkeypatch.setitem(MODELS.module_dict, 'InstancePrompt', InstancePrompt)
    head = dict(pool=('prefix', 'max'))
    model = build_classifier([dict(type='InstancePrompt')], name=name, head=head, fresh=True)
    own = model.backbone.backbone.num_prefix_tokens
    assert model.head.cls_head_finetune[0].in_features == (own + 2) * 48
    losses = train(model, steps=8, lr=0.003)
    assert losses[-1] < losses[0] and all(p.grad.abs().sum() > 0 for p in model.backbone.methods.parameters())
    alone = torch.cat([logits(model, cloud[None]) for cloud in clouds()])
    torch.testing.assert_close(alone, logits(model, clouds()), atol=1e-4, rtol=0)
