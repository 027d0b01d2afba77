"""STAG."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from compiled_models import SHALLOW, check_compiled_training, needs_compiler
from method_matrix import trained_count
from small_models import SMALL_BACKBONES, build_classifier, build_plain, clouds, logits
from torch import Tensor
from torch.nn import functional as F

from point_peft.methods import STAG

SMALL = [dict(type='STAG', dim=12, num_neighbors=4)]
POOL = ('mean_with_prefix',)


def by_hand(method: STAG, points: Tensor, sizes: tuple[int, int, int]) -> Tensor:
    """Mean over all tokens as the formulas say, cloud by cloud and token by token, on the small Point-MAE.

    Args:
        method (STAG): Of four blocks.
        points (Tensor): (B, N, 3).
        sizes (tuple): First adapted block, sets of readers, sets of convolutions.
    """
    plain, (first, readers, convolutions) = build_plain(), sizes
    tokens = plain.embed(points)
    x, pos = plain.sequence(tokens)
    state = torch.zeros(*tokens.features.shape[:2], method.dim)
    for layer, block in enumerate(plain.layers):
        state = state + method.readers[layer * readers // 4](x[:, 1:])
        x = block(x + pos)
        if layer < first:
            continue
        set_of_layers = method.convolutions[(layer - first) * convolutions // (4 - first)]
        mixed = torch.zeros_like(state)
        for b, i in torch.cartesian_prod(torch.arange(len(points)), torch.arange(16)).tolist():
            distances = (tokens.centers[b] - tokens.centers[b, i]).norm(dim=-1)
            nearest = distances.argsort()[:4]
            edges = set_of_layers.own(state[b, i]) + set_of_layers.neighbor(state[b, nearest])
            mixed[b, i] = set_of_layers.mix(edges.max(dim=0).values)
        state = mixed
        shift = F.relu(set_of_layers.up(state))
        x = x + torch.cat([shift.mean(dim=1, keepdim=True), shift], dim=1)
    return x.mean(dim=1)


@pytest.mark.parametrize('sizes', [(2, 1, 1), (1, 2, 3)])
def test_formulas(sizes: tuple[int, int, int]) -> None:
    """The standard kind, and one that starts earlier with several sets of layers."""
    changes = dict(zip(('first_layer', 'num_readers', 'num_convolutions'), sizes))
    model = build_classifier([SMALL[0] | changes], head=dict(pool=POOL))
    with torch.no_grad():
        expected = model.head.cls_head_finetune(by_hand(model.backbone.methods[0], clouds(2), sizes))
    torch.testing.assert_close(logits(model, clouds(2)), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('name', SMALL_BACKBONES)
def test_fresh_one_adapts(name: str) -> None:
    """As published, from the start."""
    fresh = build_classifier(SMALL, name=name, fresh=True)
    assert (logits(fresh, clouds()) - logits(build_classifier(name=name), clouds())).abs().max() > 1e-3


def graph_of(output: Tensor) -> set[Any]:
    """All nodes of the graph behind an output."""
    seen, waiting = set(), [output.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            waiting += [following for following, _ in node.next_functions]
    return seen


@pytest.mark.parametrize('name', SMALL_BACKBONES)
def test_no_gradient_below(name: str) -> None:
    """No graph reaches the embedding or a block up to the first adapted one, though the class token asks for one."""
    model = build_classifier(SMALL, name=name, head=dict(pool=POOL)).train()
    backbone, first = model.backbone.backbone, model.backbone.methods[0].gradient_from
    inputs, outputs = {}, {}
    for layer, block in enumerate(backbone.layers):
        block.register_forward_pre_hook(lambda _, args, i=layer: inputs.update({i: args[0]}))
        block.register_forward_hook(lambda _, args, x, i=layer: outputs.update({i: x}), prepend=True)
    nodes = graph_of(model(dict(points=clouds())).sum())
    assert first == len(backbone.layers) // 2
    assert not any(inputs[i].requires_grad or outputs[i].requires_grad for i in range(first + 1))
    assert all(inputs[i].grad_fn in nodes for i in range(first + 1, len(backbone.layers)))
    trained = {id(p) for p in model.parameters() if p.requires_grad}
    leaves = {id(node.variable) for node in nodes if hasattr(node, 'variable')}
    assert leaves and leaves <= trained


def test_trained_counts() -> None:
    """The published number of the standard size, 428 431, and 1.02 million of the slightly large one."""
    assert trained_count('stag/pointmae_scanobjnn') == 428_431
    side = 4 * 73_920 + 3 * (3 * 37_056 + 74_112)
    large = build_large()
    assert sum(p.numel() for p in large.parameters()) == side
    assert round((side + 169_231) / 1e6, 2) == 1.02


def build_large() -> STAG:
    """STAG-sl for a full-size Point-MAE."""
    method = STAG(first_layer=3, num_readers=4, num_convolutions=3)
    method.setup(build_plain(embed_dim=384, depth=12, num_heads=6))
    return method


def test_final_norm() -> None:
    """The head gets tokens behind the final norm if that is wanted."""
    found = [build_classifier([SMALL[0] | dict(final_norm=norm)]).backbone for norm in (False, True)]
    raw, normed = (wrapper(clouds()) for wrapper in found)
    torch.testing.assert_close(found[0].backbone.norm(raw.patches), normed.patches)
    torch.testing.assert_close(found[0].backbone.norm(raw.prefix), normed.prefix)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(first_layer=4), 'first_layer=4 is none of the blocks 2 to 3'),
        (dict(first_layer=1), 'first_layer=1 is none of the blocks 2 to 3'),
        (dict(num_readers=3), 'num_readers=3, but 2 blocks share them'),
        (dict(num_convolutions=0), 'num_convolutions=0, but 2 blocks'),
    ],
)
def test_wrong_arguments(changes: dict[str, int], message: str) -> None:
    """Of a hierarchy only the last stage is adapted, and each set of layers has a block."""
    with pytest.raises(ValueError, match=message):
        build_classifier([SMALL[0] | changes], name='PointM2AE')


def test_too_few_tokens() -> None:
    """As many as there are neighbours."""
    with pytest.raises(ValueError, match='num_neighbors=17, but the last stage has 16 tokens'):
        logits(build_classifier([dict(type='STAG', num_neighbors=17)]), clouds())


@needs_compiler
@pytest.mark.parametrize('name', ['PointMAE', 'PointM2AE'])
def test_compiled_training(name: str) -> None:
    """One graph, the same bits."""
    check_compiled_training(build_classifier(SMALL, name=name, **SHALLOW[name]).train(), 4)
