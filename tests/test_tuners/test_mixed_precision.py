"""Under autocast a tuned model differs from itself in float32 by rounding, and geometry and retrieval do not at all."""

from __future__ import annotations

import pytest
import torch
from small_models import (
    NUM_CLASSES,
    SMALL_BACKBONES,
    build_classifier,
    build_plain,
    clouds,
    fill_bank,
    methods_for,
)
from torch import Tensor
from torch.nn import functional as F

from point_peft.models import PointClassifier, PointDescriptor
from point_peft.tuners import MemoryBank

POINTS = clouds(8, seed=9)
every_backbone = pytest.mark.parametrize('name', SMALL_BACKBONES)


def tuned(name: str, way: str) -> PointClassifier:
    """A model whose tuned biases have moved, with a filled bank."""
    model = build_classifier(methods_for(name)[way], name=name)
    with torch.no_grad():
        for moved in model.backbone.tuned_names:
            model.backbone.backbone.get_parameter(moved).add_(0.1)
    fill_bank(model, rows=200)
    return model


def logits_and_gradient(model: PointClassifier, *, autocast: bool) -> tuple[Tensor, Tensor]:
    """Logits (B, classes), and the gradient of the tuned backbone as one vector."""
    model.zero_grad()
    with torch.autocast('cpu', dtype=torch.bfloat16, enabled=autocast):
        output = model(dict(points=POINTS))
    F.cross_entropy(output.float(), torch.arange(8) % NUM_CLASSES).backward()
    trained = [parameter for parameter in model.backbone.parameters() if parameter.requires_grad]
    return output.detach().float(), torch.cat([parameter.grad.flatten() for parameter in trained])


@every_backbone
@pytest.mark.parametrize('way', ['point_peft', 'bitfit', 'prompt', 'vpt_deep'])
def test_logits_and_gradients(name: str, way: str) -> None:
    """Within 0.04, and with a cosine of 0.99 at least; the second forward as the first."""
    model = tuned(name, way)
    exact = logits_and_gradient(model, autocast=False)
    for _ in range(2):
        rough = logits_and_gradient(model, autocast=True)
        assert 0 < (rough[0] - exact[0]).abs().max() < 0.04
        assert F.cosine_similarity(rough[1], exact[1], dim=0) > 0.99


@every_backbone
def test_query_does_not_depend_on_autocast(name: str) -> None:
    """To the bit the descriptor of the plain network in float32, so the same clouds are retrieved as without."""
    wrapper, plain = tuned(name, 'point_peft').backbone, build_plain(name)
    tokens = plain.embed(POINTS)
    expected = plain.summarize(tokens)
    seen: list[Tensor] = []
    prompt = wrapper.tuners[0]
    prompt.bank.register_forward_hook(lambda *args: seen.append(args[2].index))
    with torch.no_grad():
        wrapper(POINTS)
        with torch.autocast('cpu', dtype=torch.bfloat16):
            wrapper(POINTS)
            assert torch.equal(wrapper.pretrained_summary(tokens), expected)
    assert torch.equal(*seen)


def test_descriptor_model() -> None:
    """What a bank is built from is not rounded either."""
    model = PointDescriptor(dict(type='PointMAE', num_groups=16, group_size=8, depth=2)).eval()
    expected = model(dict(points=POINTS)).detach()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert torch.equal(model(dict(points=POINTS)), expected)


def test_retrieval() -> None:
    """Neighbours, similarities and values are those without autocast, to the bit; rounded, many would be wrong."""
    generator = torch.Generator().manual_seed(0)
    bank, query = MemoryBank(384), torch.rand(64, 384, generator=generator)
    bank.fill(query.repeat(8, 1) + 0.1 * torch.rand(512, 384, generator=generator))
    expected = bank(query, 8)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        found = bank(query, 8)
        rounded = (F.normalize(query, dim=1) @ bank.keys.T).argmax(dim=1)
    for field, value in vars(expected).items():
        assert torch.equal(getattr(found, field), value), field
    assert (rounded == expected.index[:, 0]).float().mean() < 0.9


def test_detaching_inside_autocast() -> None:
    """The casts of the tuned values go with them."""
    model, plain = tuned('PointMAE', 'bitfit'), build_plain()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        model.backbone(POINTS)
        found = model.backbone.detach()(POINTS).patches
        assert torch.equal(found, plain(POINTS).patches)
        model.backbone.attach()
        again = model.backbone(POINTS).patches
    assert (again - found).abs().max() > 0.05
