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
from point_peft.methods import DeepPrompt, TuningContext, TuningMethod
from point_peft.ops import gather, group, knn, squared_distance
from point_peft.registry import MODELS
from point_peft.structures import BackboneFeatures


class InstancePrompt(TuningMethod):
    """A prompt that an EdgeConv makes of the tokens that enter the last block (as IDPT)."""

    def setup(self, backbone: PointBackbone) -> None:
        """The EdgeConv's layer."""
        dim = backbone.layer_dims[-1]
        self.edge = nn.Linear(2 * dim, dim)

    def attach(self, backbone: PointBackbone) -> None:
        """Before the last block, and out again."""
        self.on_input(backbone.layers[-1], self._insert)
        self.on_output(backbone.layers[-1], lambda _, x: self._take_out(x), first=True)

    def begin(self, context: TuningContext) -> None:
        """Neighbours among the centers of the last stage."""
        centers = context.tokens.stage_centers[-1]
        self.neighbors = knn(centers, centers, 4)

    def _insert(self, x: Tensor) -> Tensor:
        prefix, patches = x.tensor_split([self.context.num_prefix], dim=1)
        near = gather(patches, self.neighbors)
        here = patches.unsqueeze(2).expand_as(near)
        self.prompt = self.edge(torch.cat([near - here, here], dim=-1)).amax(dim=(1, 2)).unsqueeze(1)
        return torch.cat([prefix, self.prompt, patches], dim=1)

    def _take_out(self, x: Tensor) -> Tensor:
        at = self.context.num_prefix
        return torch.cat([x[:, :at], x[:, at + 1 :]], dim=1)

    def finish(self, features: BackboneFeatures, context: TuningContext) -> BackboneFeatures:
        """The head sees it too, in the patch tokens."""
        return replace(features, patches=features.patches + self.prompt)


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
        for block, scale, low_rank in zip(backbone.layers, self.scales, self.maps):
            self.on_output(block.mlp, self._adapt(scale, low_rank))

    def _adapt(self, scale: nn.Module, low_rank: nn.Module):  # noqa: ANN202
        return lambda x, output: output + scale(x).sigmoid() * low_rank(x)


class CoarsePatches(DeepPrompt):
    """Larger and fewer patches of the cloud as prompts (as PPT)."""

    def setup(self, backbone: PointBackbone) -> None:
        """An embedding of patches, and a map to each block's dimension."""
        self.patch_embed = PatchEmbed(16, hidden_dims=(8, 16, 16))
        self.maps = nn.ModuleList(nn.Linear(16, dim) for dim in backbone.layer_dims)

    def begin(self, context: TuningContext) -> None:
        """Cut the cloud again."""
        self.coarse = self.patch_embed(group(context.points, self.num_tokens, 32).neighborhoods)

    def prompts(self, position: int) -> Tensor:
        """(B, T, C)."""
        return self.maps[position](self.coarse)


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

    def begin(self, context: TuningContext) -> None:
        """Eigenvectors (B, G, 4) of the Laplacian of every stage."""
        self.waves = []
        for centers in context.tokens.stage_centers:
            weights = (-squared_distance(centers, centers)).exp()
            laplacian = torch.diag_embed(weights.sum(dim=-1)) - weights
            self.waves.append(torch.linalg.eigh(laplacian.double()).eigenvectors[..., :4].to(centers.dtype))

    def _filter(self, x: Tensor, index: int) -> Tensor:
        prefix, patches = x.tensor_split([self.context.num_prefix], dim=1)
        waves = self.waves[self.stages[index]]
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
            self.on_output(backbone.layers[index], self._add(layer))

    def begin(self, context: TuningContext) -> None:
        """Start at zero."""
        self.state = 0

    def _add(self, layer: nn.Module):  # noqa: ANN202
        def read(_: Tensor, x: Tensor) -> Tensor:
            self.state = torch.tanh(self.state + layer(x[:, self.context.num_prefix :]))
            return x

        return read

    def finish(self, features: BackboneFeatures, context: TuningContext) -> BackboneFeatures:
        """Add what it found."""
        return replace(features, patches=features.patches + self.up(self.state))


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
