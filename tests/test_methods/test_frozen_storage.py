"""Frozen weights stored in bfloat16: the same bits under autocast, in half the memory."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
from compiled_models import SHALLOW, check_compiled_training, check_export, needs_compiler
from small_models import BACKBONE, METHODS, build_classifier, build_plain, methods_for
from stored_models import LORA, POINTS, step, stored
from torch import Tensor, nn

from point_peft.io.errors import InvalidValueError
from point_peft.methods import FoldingError, PEFTBackbone, TuningMethod
from point_peft.methods.frozen_storage import STORED, StoredLinear, storage_of
from point_peft.models import PointClassifier
from point_peft.registry import MODELS


def rounded(model: PointClassifier) -> PointClassifier:
    """The model with weights in float32 that have the stored values."""
    model, other = deepcopy(model), stored(model)
    model.backbone.load_state_dict(
        {name: value.float() for name, value in other.backbone.state_dict().items()}
    )
    return model


@pytest.mark.parametrize('training', [False, True])
@pytest.mark.parametrize('name', ['PointMAE', 'PointM2AE', 'ReCon', 'PointGPT'])
def test_same_bits_under_autocast(name: str, training: bool) -> None:
    """Logits, and gradients of everything that is trained; without autocast only the weights are rounded."""
    model = build_classifier([*methods_for(name)['lora'], dict(type='SelectiveTuning')], name=name)
    model.train(training)
    (expected, gradients), (found, others) = (step(one, torch.bfloat16) for one in (model, stored(model)))
    assert torch.equal(found, expected)
    assert gradients.keys() == others.keys() and len(gradients) > 20
    assert all(torch.equal(others[key], value) for key, value in gradients.items())
    exact, other, same = (step(one, None)[0] for one in (model, stored(model), rounded(model)))
    assert torch.equal(other, same) and 0 < (other - exact).abs().mean() < 0.1


def test_other_precisions() -> None:
    """Under autocast to float16, and in float64."""
    model = build_classifier(LORA)
    (expected, _), (found, gradients) = (step(one, torch.float16) for one in (model, stored(model)))
    assert torch.isfinite(found).all() and (found - expected).abs().max() < 0.05 and gradients
    double = stored(model).double()
    assert double(dict(points=POINTS.double())).dtype == torch.float64


@pytest.mark.parametrize('name', ['PointMAE', 'PointM2AE', 'ReCon'])
def test_what_is_stored(name: str) -> None:
    """Of the blocks every weight of a linear layer; the rest, and what is trained, is as it was."""
    model = build_classifier([dict(type='SelectiveTuning')], name=name)
    other = stored(model)
    names = {
        f'backbone.backbone.{path}.weight'
        for path, layer in other.backbone.backbone.named_modules()
        if isinstance(layer, StoredLinear)
    }
    assert names and all(part.split('.')[-2] in ('qkv', 'proj', 'fc1', 'fc2', 'q', 'kv') for part in names)
    before, after = model.state_dict(), other.state_dict()
    assert list(before) == list(after)
    for key, value in before.items():
        wanted = value.bfloat16() if key in names else value
        assert after[key].dtype == wanted.dtype and torch.equal(after[key], wanted), key

    def size(state: dict[str, Tensor], keys: set[str]) -> int:
        return sum(state[key].nbytes for key in keys)

    assert 2 * size(after, names) == size(before, names)
    assert size(after, set(after)) == size(before, set(before)) - size(after, names)


@pytest.mark.parametrize(('kind', 'shape'), [(nn.Linear, (2, 5, 8)), (nn.Conv1d, (2, 8, 5))])
def test_layers(kind: type[nn.Module], shape: tuple[int, ...]) -> None:
    """The same bits as of the layers that they stand for: under autocast of its own weights, else of rounded ones."""
    plain = (kind(8, 4, 1) if kind is nn.Conv1d else kind(8, 4)).requires_grad_(False)
    layer, x = deepcopy(plain), torch.randn(shape)
    layer.__class__ = STORED[kind]
    assert torch.equal(layer(x), plain(x))
    layer.weight.data = layer.weight.data.bfloat16()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert torch.equal(layer(x), plain(x))
    plain.weight.data = layer.weight.data.float()
    assert torch.equal(layer(x), plain(x))


@needs_compiler
def test_compiler() -> None:
    """One graph with the same bits, and an exported program."""
    model = stored(build_classifier(METHODS['lora'], **SHALLOW['PointMAE']))
    check_export(model, atol=4e-6)  # of LoRA
    check_compiled_training(model.train(), 4)


class TrainsAWeight(TuningMethod):
    """Trains the weight of a layer in place, or all of them."""

    def __init__(self, whole: bool) -> None:
        super().__init__()
        self.whole = whole

    def setup(self, backbone: Any) -> None:
        names = [name for name, _ in backbone.named_parameters() if 'blocks' in name]
        self.names = names if self.whole else [name for name in names if name.endswith('0.mlp.fc1.weight')]

    def backbone_parameters(self) -> list[str]:
        return self.names


@pytest.fixture
def own_method() -> Any:
    """Known for the time of a test."""
    MODELS.register_module(module=TrainsAWeight)
    yield TrainsAWeight.__name__
    del MODELS.module_dict[TrainsAWeight.__name__]


def test_what_is_trained_is_not_stored(own_method: str) -> None:
    wrapper = PEFTBackbone(build_plain(), [dict(type=own_method, whole=False)], frozen_dtype='bfloat16')
    dtypes = {p.dtype for p in wrapper.parameters() if p.requires_grad}
    assert dtypes == {torch.float32} and len(storage_of(wrapper.backbone).names) == 4 * 4 - 1
    with pytest.raises(
        InvalidValueError, match=r'0\.mlp\.fc1\.weight is to be trained, but it is stored in bfloat16'
    ):
        PEFTBackbone(
            PEFTBackbone(build_plain(), frozen_dtype='bfloat16').detach(),
            [dict(type=own_method, whole=False)],
        )
    with pytest.raises(InvalidValueError, match='frozen_dtype of PEFTBackbone has nothing to store'):
        PEFTBackbone(build_plain(), [dict(type=own_method, whole=True)], frozen_dtype='bfloat16')


@pytest.mark.parametrize(
    ('methods', 'dtype', 'problem'),
    [
        ([], 'float16', "frozen_dtype='float16' of PEFTBackbone is unknown"),
        ([dict(type='DoRA', rank=2)], 'bfloat16', 'DoRA cannot tune .* norms of the weights'),
        (METHODS['prompt'], 'bfloat16', 'PointPriorPrompt cannot tune .* state is fitted on'),
    ],
)
def test_refused(methods: list[dict[str, Any]], dtype: str, problem: str) -> None:
    with pytest.raises(InvalidValueError, match=problem):
        PEFTBackbone(BACKBONE, methods, frozen_dtype=dtype)


def test_no_folding_and_no_descriptor() -> None:
    """What would be lost in rounding is refused, and nothing is changed."""
    wrapper = PEFTBackbone(build_plain(), METHODS['lora'], frozen_dtype='bfloat16').eval()
    before = wrapper(POINTS).patches
    with pytest.raises(FoldingError, match='frozen weights are stored in bfloat16'):
        wrapper.fold()
    with pytest.raises(InvalidValueError, match='the descriptor of the pre-trained backbone needs'):
        wrapper.pretrained_summary(wrapper.backbone.embed(POINTS))
    assert torch.equal(wrapper(POINTS).patches, before)
