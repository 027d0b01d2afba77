"""The contract of tuning methods, and that a method of one's own needs one class and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from mmengine.config import Config
from small_models import BACKBONE, build_classifier, build_plain, clouds, logits, train
from torch import Tensor, nn

from point_peft.backbones import PointBackbone
from point_peft.engine.config.check import check_config
from point_peft.io.errors import ConfigError
from point_peft.methods import TuningContext, TuningMethod
from point_peft.methods.insertion import grow_mask, grow_mask_once
from point_peft.registry import MODELS
from point_peft.structures import BackboneFeatures, PointTokens


@pytest.fixture
def context() -> TuningContext:
    """A context with one prefix token."""
    zeros = torch.zeros(1, 2, 3)
    tokens = PointTokens(zeros, zeros, zeros.unsqueeze(2), torch.zeros(1, 2, dtype=torch.int64))
    return TuningContext(
        zeros, tokens, num_prefix=1, pretrained_summary=lambda tokens: tokens.features.sum(1)
    )


class Echo(nn.Module):
    """Returns its input, and remembers the mask."""

    def forward(self, x: Tensor, attn_mask: Tensor | None = None) -> Tensor:
        """Remember and return."""
        self.mask = attn_mask
        return x


def test_hooks_act_in_a_context_only(context: TuningContext) -> None:
    """Input hook doubles, output hook adds the input: 2 * 3 + 6 = 12 inside, 3 outside, 3 after detach."""
    method, module = TuningMethod(), Echo()
    method.on_input(module, lambda x: 2 * x)
    method.on_output(module, lambda x, output: x + output)
    x = torch.full((1, 3, 1), 3.0)
    assert module(x).unique().item() == 3
    method.activity.encoding = context
    assert module(x).unique().item() == 12
    method.detach(nn.Module())
    assert module(x).unique().item() == 3 and not module._forward_hooks and not module._forward_pre_hooks


def test_order_of_output_hooks(context: TuningContext) -> None:
    """In order of attachment."""
    method, module = TuningMethod(), Echo()
    method.activity.encoding = context
    method.on_output(module, lambda _, x: x + 1)
    method.on_output(module, lambda _, x: x * 10)
    assert module(torch.zeros(1)).item() == 10


def test_grow_mask_by_hand() -> None:
    """Row and column 1 of a 2x2 mask become those of the inserted token, which is visible and sees everything."""
    mask = torch.tensor([[True, False], [False, True]])
    grown = grow_mask(mask, at=1, count=1)
    assert grown.tolist() == [[True, True, False], [True, True, True], [False, True, True]]
    additive = torch.tensor([[0.0, -9.0], [-9.0, 0.0]])
    assert grow_mask(additive, 0, 2).tolist() == [[0] * 4, [0] * 4, [0, 0, 0, -9], [0, 0, -9, 0]]


@pytest.mark.parametrize('shape', [(4, 4), (2, 1, 4, 4)])
def test_mask_grows_with_the_sequence(context: TuningContext, shape: tuple[int, ...]) -> None:
    """Behind the prefix, once for all blocks that share it; what was inserted sees and is seen by all."""
    mask = torch.rand(shape) > 0.5
    grown = grow_mask_once(context, mask, 2)
    keep = torch.tensor([0, 3, 4, 5])
    assert torch.equal(grown[..., keep[:, None], keep], mask)
    assert grown[..., 1:3, :].all() and grown[..., 1:3].all()
    assert grow_mask_once(context, mask, 2) is grown and grow_mask_once(context, mask, 1) is not grown


def test_mask_in_a_prompted_block() -> None:
    """With prompts, a block whose mask hides all patches but one from the rest still lets them see the prompts."""
    model = build_classifier([dict(type='VPTDeep', num_tokens=3)])
    method, block = model.backbone.methods[0], model.backbone.backbone.layers[0]
    x = torch.randn(2, 5, 48)
    mask = torch.eye(5, dtype=torch.bool)
    tokens = PointTokens(x, x, x, x)
    alone = block(x, attn_mask=mask)
    method.activity.encoding = TuningContext(x, tokens, 1, lambda _: x)
    prompted = block(x, attn_mask=mask)
    assert torch.equal(block(x, mask), prompted)
    method.activity.encoding = None
    assert prompted.shape == alone.shape and (prompted - alone).abs().max() > 1e-3
    other = torch.cat([x[:, :-1], -x[:, -1:]], dim=1)
    method.activity.encoding = TuningContext(x, tokens, 1, lambda _: x)
    torch.testing.assert_close(block(other, attn_mask=mask)[:, 2], prompted[:, 2], atol=1e-5, rtol=0)
    method.activity.encoding = None


def test_defaults_do_nothing(context: TuningContext) -> None:
    """A method that overrides nothing changes nothing."""
    method, features = TuningMethod(), object()
    method.setup(build_plain())
    method.attach(build_plain())
    assert method.begin(context) is None and method.tokens_before(0, context.points) is None
    assert method.transform_tokens(context.tokens) is context.tokens
    assert method.transform_points(context.points) is context.points
    assert method.finish(features, context) is features and method.backbone_parameters() == []


@pytest.fixture
def own_method() -> Iterator[type[TuningMethod]]:
    """A method that this test alone defines: shift the cloud, scale every block, add a token to the prefix."""

    @MODELS.register_module()
    class ShiftScaleAppend(TuningMethod):
        """Uses every stage of the contract."""

        def __init__(self, *, strength: float = 1.0) -> None:
            super().__init__()
            self.strength = strength
            self.order: list[str] = []

        def setup(self, backbone: PointBackbone) -> None:
            """One scale per block, one shift, one token."""
            self.shift = nn.Parameter(torch.full((3,), 0.3))
            self.scales = nn.ParameterList(nn.Parameter(torch.ones(dim) * 0.1) for dim in backbone.layer_dims)
            self.token = nn.Parameter(torch.ones(backbone.embed_dim))

        def attach(self, backbone: PointBackbone) -> None:
            """Scale the feed-forward branch of every block."""
            for module, scale in zip(backbone.sites('mlp'), self.scales):
                self.on_output(module, self._scaled(scale))

        def _scaled(self, scale: Tensor):  # noqa: ANN202
            return lambda _, x: x * (1 + self.strength * scale)

        def backbone_parameters(self) -> list[str]:
            """Tunes the final norm in place."""
            return ['norm.weight']

        def transform_points(self, points: Tensor) -> Tensor:
            """Shift."""
            self.order.append('transform_points')
            return points + self.shift

        def begin(self, context: TuningContext) -> None:
            """Look at what is shared."""
            self.order.append('begin')
            self.summary = context.pretrained_summary(context.tokens)

        def finish(self, features: BackboneFeatures, context: TuningContext) -> BackboneFeatures:
            """Append a token."""
            self.order.append('finish')
            features.prefix = features.prefix + self.token
            return features

    yield ShiftScaleAppend
    MODELS.module_dict.pop('ShiftScaleAppend')


def test_own_method(own_method: type[TuningMethod]) -> None:
    """Registered and named in a config it trains, detaches and is checked like the others."""
    methods = [dict(type='ShiftScaleAppend', strength=0.5), dict(type='LoRA', rank=2)]
    model = build_classifier(methods, fresh=True)
    method = model.backbone.methods[0]
    assert isinstance(method, own_method)
    plain = build_plain()
    expected = plain(clouds())
    assert (logits(model, clouds()) - logits(build_classifier(), clouds())).abs().max() > 1e-3
    assert method.order == ['transform_points', 'begin', 'finish'] and method.summary.shape == (4, 48)
    losses = train(model, steps=4)
    assert losses[-1] < losses[0]
    for parameter in method.parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0
    assert torch.equal(model.backbone.detach()(clouds()).patches, expected.patches)


def test_own_method_in_the_config_check(own_method: type[TuningMethod]) -> None:
    """Its arguments are checked too."""
    peft = dict(type='PEFTBackbone', methods=[dict(type='ShiftScaleAppend', strenght=0.5)])
    model = dict(type='PointClassifier', backbone=BACKBONE, peft=peft, head=dict(type='PointClsHead'))
    with pytest.raises(ConfigError, match="unknown argument 'strenght'; did you mean 'strength'"):
        check_config(Config(dict(model=model)))
