"""Checking that a backbone honours the contract, so that every tuning method and every head works on it."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial

import torch
from torch import Tensor, nn

from ..io.errors import PointPEFTError
from ..structures import BackboneFeatures, PointTokens
from .base import PointBackbone
from .decoding import problem_of_decoder_layers
from .early_summary import summarize, summarizes_early

SIZES = ('embed_dim', 'num_groups', 'num_prefix_tokens')
SITE_KINDS = {
    'attn.qkv': nn.Linear,
    'attn.proj': nn.Linear,
    'mlp.fc1': nn.Linear,
    'mlp.fc2': nn.Linear,
    'norm1': nn.LayerNorm,
    'norm2': nn.LayerNorm,
}
"""What modules are at the sites that have a standard name."""

TOLERANCE = 1e-5
"""Largest difference between the tokens of a cloud in a batch and alone, relative to their largest value."""


class ContractError(PointPEFTError, TypeError):
    """A backbone does not expose what tuning methods and heads rely on."""


@torch.no_grad()
def check_backbone(backbone: PointBackbone, points: Tensor) -> None:
    """Run a backbone on clouds and compare what it does with what the package README promises.

    Args:
        backbone (PointBackbone): The network, with any weights; it is put into eval mode.
        points (Tensor): (B, N, 3) clouds that differ from each other, B >= 2.

    Raises:
        ContractError: What is missing or differs, all of it, one clause each.
    """
    backbone.eval()
    problems = list(_structure_problems(backbone))
    if not problems:
        problems = list(_forward_problems(backbone, points))
    if problems:
        raise ContractError(
            f'{type(backbone).__name__} breaks the contract of backbones: {"; ".join(problems)}.'
        )


def _structure_problems(backbone: PointBackbone) -> Iterator[str]:
    """What can be seen without running."""
    unknown = [name for name in SIZES if not isinstance(getattr(backbone, name, None), int)]
    for name in unknown:
        yield f'{name} is not an int'
    if unknown:
        return  # the other members may be computed from them
    layers = list(backbone.layers)
    if not layers:
        yield 'layers is empty'
    owned = {id(module) for module in backbone.modules()}
    for index, block in enumerate(layers):
        if id(block) not in owned:
            yield f'layers[{index}] is not a module of the backbone'
        dim = backbone.layer_dims[index] if index < len(backbone.layer_dims) else 0
        yield from _block_problems(backbone.block_sites, block, f'layers[{index}]', dim)
    for name in ('layer_dims', 'layer_stages'):
        if len(getattr(backbone, name)) != len(layers):
            yield f'{name} has {len(getattr(backbone, name))} entries for {len(layers)} layers'
    if list(backbone.layer_stages) != sorted(backbone.layer_stages):
        yield 'layer_stages goes back to an earlier stage'
    problem = problem_of_decoder_layers(backbone.decoder_layers, backbone.layer_stages)
    if problem:
        yield problem
    names = dict(backbone.named_parameters())
    for name in backbone.prefix_parameters():
        if name not in names:
            yield f'prefix_parameters() names {name!r}, which is no parameter'
    if id(backbone.final_norm()) not in owned:
        yield 'final_norm() is not a module of the backbone'


def _block_problems(sites: Mapping[str, str], block: nn.Module, where: str, dim: int) -> Iterator[str]:
    """Whether a block has what is declared."""
    modules = dict(block.named_modules())
    if sites.get('block') != '':
        yield "block_sites does not name the block itself: 'block': ''"
    for name, path in sites.items():
        module, kind = modules.get(path), SITE_KINDS.get(name, nn.Module)
        if not isinstance(module, kind):
            yield f'{where}.{path} is not an nn.{kind.__name__}, as the site {name} is'
    qkv = modules.get(sites.get('attn.qkv', ''))
    if isinstance(qkv, nn.Linear) and (qkv.in_features, qkv.out_features) != (dim, 3 * dim):
        yield f'{where}.attn.qkv maps {qkv.in_features} to {qkv.out_features}, but layer_dims says {dim}'


def _forward_problems(backbone: PointBackbone, points: Tensor) -> Iterator[str]:
    """What shows when it runs."""
    batch = len(points)
    tokens = backbone.embed(points)
    unfit = list(_token_problems(backbone, tokens, batch))
    yield from unfit
    if unfit:
        return  # the blocks cannot run on them
    lengths: list[int] = []
    masks: list[bool] = []

    def record(_: nn.Module, args: tuple, kwargs: dict) -> None:
        lengths.append((*args, *kwargs.values())[0].shape[1])
        masks.append(1 <= len(args) <= 2 and set(kwargs) <= {'attn_mask'})

    calls: Counter[tuple[str, int]] = Counter()
    handles = [block.register_forward_pre_hook(record, with_kwargs=True) for block in backbone.layers]
    for name in backbone.block_sites:
        for index, module in enumerate(backbone.sites(name)):
            handles.append(module.register_forward_hook(partial(_count, calls, (name, index))))
    features = backbone.encode(tokens, hidden_layers=range(len(backbone.layers)))
    for handle in handles:
        handle.remove()
    for name, index in itertools.product(backbone.block_sites, range(len(backbone.layers))):
        if calls[name, index] != 1:
            yield f'the site {name} of layers[{index}] is called {calls[name, index]} times as a module, not once'
    expected = [
        backbone.num_prefix_tokens + tokens.stage_centers[stage].shape[1] for stage in backbone.layer_stages
    ]
    if lengths != expected:
        yield f'the blocks saw sequences of {lengths} tokens, not {expected} (prefix tokens plus patch tokens)'
    if not all(masks):
        yield 'a block is not called as block(x) or block(x, mask)'
    yield from _group_problems(backbone, tokens)
    yield from _feature_problems(backbone, tokens, features)
    summary = backbone.summarize(tokens)
    if summary.shape != (batch, backbone.embed_dim):
        yield f'summarize() returns {tuple(summary.shape)}, not {(batch, backbone.embed_dim)}'
    if summarizes_early(backbone):
        depth = len(backbone.layers)
        if not torch.equal(summarize(backbone, tokens, depth), summary):
            yield 'summarize() of all blocks is another one with num_layers than without'
        if depth > 1 and torch.equal(summarize(backbone, tokens, 1), summary):
            yield 'summarize() does not stop after num_layers blocks'
    alone = torch.cat([backbone(cloud[None]).patches for cloud in points])
    difference = (alone - features.patches).abs().max()
    if not difference <= TOLERANCE * alone.abs().max():  # so that NaN is a difference, too
        yield 'the tokens of a cloud depend on the other clouds of its batch'


def _count(calls: Counter[tuple[str, int]], place: tuple[str, int], *_: object) -> None:
    """A hook that notes that a site has run."""
    calls[place] += 1


def _token_problems(backbone: PointBackbone, tokens: PointTokens, batch: int) -> Iterator[str]:
    """What embed() must return."""
    stages = tokens.stage_centers
    if tokens.centers.shape != (batch, backbone.num_groups, 3):
        yield f'embed() returns centers {tuple(tokens.centers.shape)}, not {(batch, backbone.num_groups, 3)}'
    if tokens.features.shape != (*tokens.centers.shape[:2], backbone.layer_dims[0]):
        yield f'embed() returns features {tuple(tokens.features.shape)}, which fit no centers and first layer'
    if max(backbone.layer_stages) + 1 != len(stages):
        yield f'layer_stages has {max(backbone.layer_stages) + 1} stages, but tokens have {len(stages)}'
    for before, stage in zip(stages, tokens.coarser):
        if not torch.equal(stage.centers, before[:, : stage.centers.shape[1]]):
            yield 'the centers of a coarser stage are not the first ones of the stage before'


def _group_problems(backbone: PointBackbone, tokens: PointTokens) -> Iterator[str]:
    """What must hold between the groups and their tokens."""
    embedded = backbone.embed_groups(tokens.neighborhoods)
    if embedded.shape != tokens.features.shape or not torch.allclose(
        embedded, tokens.features, rtol=TOLERANCE, atol=TOLERANCE
    ):
        yield 'embed_groups() does not give the features that embed() returns for the same neighborhoods'
    rank = tokens.sampling_rank
    if rank is not None and not torch.equal(
        rank.sort(dim=1).values, torch.arange(rank.shape[1]).expand_as(rank)
    ):
        yield 'sampling_rank is no permutation of the groups'


def _feature_problems(
    backbone: PointBackbone, tokens: PointTokens, features: BackboneFeatures
) -> Iterator[str]:
    """What encode() must return."""
    batch = len(tokens.centers)
    if features.patches.shape != (batch, features.centers.shape[1], backbone.embed_dim):
        yield f'encode() returns patches {tuple(features.patches.shape)} for centers {tuple(features.centers.shape)}'
    if features.prefix.shape != (batch, backbone.num_prefix_tokens, backbone.embed_dim):
        yield f'encode() returns prefix {tuple(features.prefix.shape)}, but num_prefix_tokens says otherwise'
    for index, (stage, dim) in enumerate(zip(backbone.layer_stages, backbone.layer_dims)):
        wanted = (batch, tokens.stage_centers[stage].shape[1], dim)
        if index not in features.hidden or features.hidden[index].shape != wanted:
            yield f'encode() does not keep patch tokens {wanted} of layer {index} when hidden_layers asks for them'
