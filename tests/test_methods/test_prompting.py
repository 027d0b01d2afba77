"""Putting prompts in and taking them out."""

from __future__ import annotations

import pytest
import torch
from small_models import POINT_PEFT, build_classifier, build_plain, clouds, fill_bank, logits
from torch import Tensor

from point_peft.methods import DeepPrompt


class Numbered(DeepPrompt):
    """Prompts with values 100, 200, ..."""

    def prompts(self, position: int) -> Tensor:
        """(1, T, C) with C = 1."""
        return 100.0 * torch.arange(1, self.num_tokens + 1).view(1, -1, 1)


@pytest.mark.parametrize(('layers', 'wrong'), [([-1], [-1]), ([0, 4, 9], [4, 9])])
def test_layers_that_do_not_exist(layers: list[int], wrong: list[int]) -> None:
    """All wrong ones are named, with the range."""
    message = rf'prompt layers \[{", ".join(map(str, wrong))}\] do not exist: .* blocks 0 to 3; set `layers`'
    with pytest.raises(ValueError, match=message):
        Numbered(2, layers=layers).prompted_layers(build_plain())


def test_all_layers_by_default() -> None:
    """None means every block."""
    assert Numbered(2).prompted_layers(build_plain()) == [0, 1, 2, 3]


def test_two_prompt_methods() -> None:
    """Prompts of two methods are both seen by the block and both taken out."""
    methods = [dict(type='VPTDeep', num_tokens=2), dict(type='VPTDeep', num_tokens=3, layers=[1])]
    model = build_classifier(methods)
    lengths = []
    for block in model.backbone.backbone.layers:
        block.norm1.register_forward_hook(lambda _, args, x: lengths.append(x.shape[1]))
    features = model.backbone(clouds())
    assert lengths == [19, 22, 19, 19] and features.patches.shape == (4, 16, 48)
    with torch.no_grad():
        for prompt in model.backbone.methods[1].parameters():
            prompt.mul_(-1)
    assert (model.backbone(clouds()).patches - features.patches).abs().max() > 1e-4


def test_order_of_hooks() -> None:
    """A method on a block's output never meets prompts, even if it is listed before the prompts."""
    prompt, adapter, geometry, selective = POINT_PEFT
    models = [
        build_classifier(methods)
        for methods in ([prompt, geometry, adapter, selective], [geometry, adapter, selective, prompt])
    ]
    for model in models:
        fill_bank(model)
    models[1].backbone.methods[0].load_state_dict(models[0].backbone.methods[1].state_dict())
    models[1].backbone.methods[1].load_state_dict(models[0].backbone.methods[2].state_dict())
    models[1].backbone.methods[3].load_state_dict(models[0].backbone.methods[0].state_dict())
    assert torch.equal(*(logits(model, clouds()) for model in models))
