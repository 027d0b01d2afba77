"""The contract carries methods of other kinds on every backbone: each is a class below and edits nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from small_models import SMALL_BACKBONES, build_classifier, build_plain, clouds, logits
from torch import Tensor, nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import apply_activation_checkpointing

from point_peft.backbones import PointBackbone
from point_peft.backbones.layers import Block, CausalBlock, PatchEmbed
from point_peft.methods import DeepPrompt, Inserted, TuningContext, TuningMethod
from point_peft.ops import gather, group, knn, squared_distance
from point_peft.registry import MODELS
from point_peft.structures import BackboneFeatures


class InstancePrompt(TuningMethod):
    """A prompt that an EdgeConv makes of the tokens that enter the last block (as IDPT)."""

    num_kept_tokens = 1

    def setup(self, backbone: PointBackbone) -> None:
        """The EdgeConv's layer."""
        dim = backbone.layer_dims[-1]
        self.last, self.edge = len(backbone.layers) - 1, nn.Linear(2 * dim, dim)

    def begin(self, context: TuningContext) -> Tensor:
        """Neighbours among the centers of the last stage."""
        centers = context.tokens.stage_centers[-1]
        return knn(centers, centers, 4)

    def tokens_before(self, layer: int, x: Tensor) -> Inserted | None:
        """Before the last block; it stays, so the head sees it."""
        if layer != self.last:
            return None
        near = gather(self.split(x)[1], self.state)
        here = self.split(x)[1].unsqueeze(2).expand_as(near)
        prompt = self.edge(torch.cat([near - here, here], dim=-1)).amax(dim=(1, 2))
        return Inserted(prompt.unsqueeze(1), stay=True)


class DynamicAdapter(TuningMethod):
    """An adapter whose weight depends on each token (as DAPT)."""

    def setup(self, backbone: PointBackbone) -> None:
        """A scale and a low-rank map per block."""
        dims = backbone.layer_dims
        self.scales = nn.ModuleList(nn.Linear(dim, 1) for dim in dims)
        self.maps = nn.ModuleList(
            nn.Sequential(nn.Linear(dim, 4), nn.GELU(), nn.Linear(4, dim)) for dim in dims
        )

    def attach(self, backbone: PointBackbone) -> None:
        """Parallel to the feed-forward network."""
        for module, scale, low_rank in zip(backbone.sites('mlp'), self.scales, self.maps):
            self.on_output(module, self._adapt(scale, low_rank))

    def _adapt(self, scale: nn.Module, low_rank: nn.Module):  # noqa: ANN202
        return lambda x, output: output + scale(x).sigmoid() * low_rank(x)


class CoarsePatches(DeepPrompt):
    """Larger and fewer patches of the cloud as prompts (as PPT)."""

    def setup(self, backbone: PointBackbone) -> None:
        """An embedding of patches, and a map to each block's dimension."""
        super().setup(backbone)
        self.patch_embed = PatchEmbed(16, hidden_dims=(8, 16, 16))
        self.maps = nn.ModuleList(nn.Linear(16, dim) for dim in backbone.layer_dims)

    def begin(self, context: TuningContext) -> Tensor:
        """Cut the cloud again."""
        return self.patch_embed(group(context.points, self.num_tokens, 32).neighborhoods)

    def prompts(self, position: int) -> Tensor:
        """(B, T, C)."""
        return self.maps[position](self.state)


class SpectralFilter(TuningMethod):
    """Gains on the frequencies of the graph of the centers, per cloud (as PointGST)."""

    def setup(self, backbone: PointBackbone) -> None:
        """The lowest frequencies of every block."""
        self.stages = list(backbone.layer_stages)
        self.gains = nn.ParameterList(nn.Parameter(torch.zeros(4)) for _ in self.stages)

    def attach(self, backbone: PointBackbone) -> None:
        """On the tokens that leave a block."""
        for index, block in enumerate(backbone.layers):
            self._attach_to(block, index)

    def _attach_to(self, block: nn.Module, index: int) -> None:
        self.on_output(block, lambda _, x: self._filter(x, index))

    def begin(self, context: TuningContext) -> list[Tensor]:
        """Eigenvectors (B, G, 4) of the Laplacian of every stage."""
        waves = []
        for centers in context.tokens.stage_centers:
            weights = (-squared_distance(centers, centers)).exp()
            laplacian = torch.diag_embed(weights.sum(dim=-1)) - weights
            waves.append(torch.linalg.eigh(laplacian.double()).eigenvectors[..., :4].to(centers.dtype))
        return waves

    def _filter(self, x: Tensor, index: int) -> Tensor:
        prefix, patches = self.split(x)
        waves = self.state[self.stages[index]]
        return torch.cat([prefix, patches + (waves * self.gains[index]) @ (waves.mT @ patches)], dim=1)


class LearnablePoints(TuningMethod):
    """Points that are added to every cloud, and a shift of all (as GAPrompt)."""

    def setup(self, backbone: PointBackbone) -> None:
        """Four points near the origin."""
        self.points = nn.Parameter(0.1 * torch.randn(4, 3))
        self.shift = nn.Parameter(torch.zeros(3))

    def transform_points(self, points: Tensor) -> Tensor:
        """(B, N, 3) -> (B, N+4, 3); the gradient reaches them through groups and positions."""
        return torch.cat([points + self.shift, self.points.expand(len(points), -1, -1)], dim=1)


class SideNetwork(TuningMethod):
    """A narrow network beside the blocks of the last stage, which reads them and leaves them alone (ladder tuning)."""

    def setup(self, backbone: PointBackbone) -> None:
        """One layer per block that it reads."""
        last = backbone.layer_stages[-1]
        self.read = [index for index, stage in enumerate(backbone.layer_stages) if stage == last]
        self.down = nn.ModuleList(nn.Linear(backbone.embed_dim, 8) for _ in self.read)
        self.up = nn.Linear(8, backbone.embed_dim)

    def attach(self, backbone: PointBackbone) -> None:
        """Read what each block gives."""
        for index, layer in zip(self.read, self.down):
            self.on_output(backbone.layers[index], self._add(index, layer))

    def _add(self, index: int, layer: nn.Module):  # noqa: ANN202
        def read(_: Tensor, x: Tensor) -> Tensor:
            before = 0 if self.handed_to(index) is None else self.handed_to(index)
            self.hand_on(index + 1, torch.tanh(before + layer(self.split(x)[1])))
            return x

        return read

    def finish(self, features: BackboneFeatures, context: TuningContext) -> BackboneFeatures:
        """Add what it found."""
        return replace(features, patches=features.patches + self.up(self.handed_to(self.read[-1] + 1)))


METHODS = {
    'InstancePrompt': {},
    'DynamicAdapter': {},
    'CoarsePatches': dict(num_tokens=5),
    'SpectralFilter': {},
    'LearnablePoints': {},
    'SideNetwork': {},
}


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    """The methods are known by name in these tests only."""
    for name in METHODS:
        MODELS.register_module(module=globals()[name])
    yield
    for name in METHODS:
        MODELS.module_dict.pop(name)


@pytest.mark.parametrize('name', SMALL_BACKBONES)
@pytest.mark.parametrize('method', METHODS)
def test_method(method: str, name: str) -> None:
    """It acts, learns in all its parameters and nowhere else, mixes no samples, and comes off again."""
    model = build_classifier([dict(type=method, **METHODS[method])], name=name)
    method, points = model.backbone.methods[0], clouds(6)
    together = logits(model, points)
    assert (together - logits(build_classifier(name=name), points)).abs().max() > 1e-3
    alone = torch.cat([logits(model, cloud[None]) for cloud in points])
    torch.testing.assert_close(alone, together, atol=1e-4, rtol=0)
    model(dict(points=points), mode='tensor').square().sum().backward()
    for key, parameter in method.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, key
    assert all(parameter.grad is None for parameter in model.backbone.backbone.parameters())
    found, expected = model.backbone.detach()(points), build_plain(name)(points)
    assert torch.equal(found.patches, expected.patches) and torch.equal(found.prefix, expected.prefix)


@pytest.mark.parametrize('name', ['PointGPT', 'PointM2AE'])
@pytest.mark.parametrize('method', METHODS)
def test_recomputation(method: str, name: str) -> None:
    """With blocks that are recomputed in the backward of two forwards, the gradients are the same."""
    found = []
    for recomputed in (False, True):
        model = build_classifier([dict(type=method, **METHODS[method])], name=name).double()
        if recomputed:
            apply_activation_checkpointing(
                model, check_fn=lambda module: isinstance(module, (Block, CausalBlock))
            )
        outputs = [model(dict(points=clouds(seed=seed).double())) for seed in (0, 1)]
        sum(output.square().sum() for output in outputs).backward()
        found.append([parameter.grad for parameter in model.backbone.methods[0].parameters()])
    torch.testing.assert_close(*found)


@pytest.mark.parametrize('name', SMALL_BACKBONES)
def test_all_at_once(name: str) -> None:
    """Any of them go together, with Point-PEFT's own parts too."""
    methods = [dict(type=method, **arguments) for method, arguments in METHODS.items()]
    methods += [dict(type='VPTDeep', num_tokens=2), dict(type='GeometryAwareAdapter', num_neighbors=4)]
    model = build_classifier(methods, name=name)
    together = logits(model, clouds())
    alone = torch.cat([logits(model, cloud[None]) for cloud in clouds()])
    torch.testing.assert_close(alone, together, atol=1e-4, rtol=0)
    expected = build_plain(name)(clouds())
    assert torch.equal(model.backbone.detach()(clouds()).patches, expected.patches)
