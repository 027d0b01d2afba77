"""The decoders against the published spelling: everything repeated for every point, convolutions on channels first."""

from __future__ import annotations

import pytest
import torch
from small_models import sizes
from small_part_models import HEADS, build_segmentor, part_batch
from torch import Tensor
from torch.nn import functional as F

from point_peft.heads.part_seg import GraphPartSegHead, HierarchicalPartSegHead, PartSegHead, PlainPartSegHead
from point_peft.ops import farthest_point_sample, three_nn
from point_peft.registry import MODELS
from point_peft.structures import BackboneFeatures


def per_point(values: Tensor, num_points: int) -> Tensor:
    """(B, C) repeated for every point: (B, C, N)."""
    return values.unsqueeze(-1).repeat(1, 1, num_points)


def label_of(head: PartSegHead, category: Tensor) -> Tensor:
    """The embedded category (B, L)."""
    return head.label_conv(F.one_hot(category, head.num_categories).double().unsqueeze(-1)).squeeze(-1)


def slow_plain(
    head: PlainPartSegHead, features: BackboneFeatures, points: Tensor, category: Tensor
) -> Tensor:
    """Point-MAE's; ReCon's with the maximum over the global tokens."""
    tokens = torch.cat([features.hidden[layer] for layer in head.hidden_layers], dim=2).transpose(
        1, 2
    )  # (B, 3C, G)
    whole = [tokens.max(dim=2).values, tokens.mean(dim=2)]
    if head.prefix:
        whole.append(features.raw_prefix.max(dim=1).values)
    whole.append(label_of(head, category))
    local = head.propagation_0(points, features.centers, points, tokens.transpose(1, 2)).transpose(1, 2)
    x = torch.cat([local, *(per_point(part, points.shape[1]) for part in whole)], dim=1)
    x = F.relu(head.bns1(head.convs1(x)))
    x = F.relu(head.bns2(head.convs2(x)))
    return head.convs3(x).transpose(1, 2)


def slow_hierarchical(
    head: HierarchicalPartSegHead, features: BackboneFeatures, points: Tensor, category: Tensor
) -> Tensor:
    """Point-M2AE's, where what is the same for all points comes first."""
    carried = []
    for stage, propagate in enumerate(head.propagations):
        hidden = features.hidden[head.hidden_layers[stage]]
        carried.append(propagate(points, features.tokens.stage_centers[stage], points, hidden))
    local = torch.cat(carried, dim=2).transpose(1, 2)
    whole = [local.max(dim=2).values + local.mean(dim=2), label_of(head, category)]
    x = torch.cat([*(per_point(part, points.shape[1]) for part in whole), local], dim=1)
    for layer in (1, 2, 3):
        x = F.relu(head.get_submodule(f'bns{layer}')(head.get_submodule(f'convs{layer}')(x)))
    return head.convs4(x).transpose(1, 2)


def edge_convolution(
    layer: torch.nn.Module, points: Tensor, x: Tensor, centers: Tensor, far: Tensor
) -> Tensor:
    """Maximum over the four nearest centers of a layer on ``[far - x, x]``, object after object."""
    rows = []
    for b in range(len(points)):
        index = torch.cdist(points[b], centers[b]).argsort(dim=1)[:, :4]
        edges = torch.cat([far[b][index] - x[b].unsqueeze(1), x[b].unsqueeze(1).repeat(1, 4, 1)], dim=2)
        rows.append(edges)
    return layer(torch.stack(rows).permute(0, 3, 1, 2)).max(dim=-1).values.transpose(1, 2)


def slow_graph_propagation(
    module: torch.nn.Module, points: Tensor, x: Tensor, centers: Tensor, far: Tensor
) -> Tensor:
    """From the coarser level, then among the points themselves."""
    x = edge_convolution(module.layer1, points, x, centers, far)
    return edge_convolution(module.layer2, points, x, points, x)


def slow_graph(
    head: GraphPartSegHead, features: BackboneFeatures, points: Tensor, category: Tensor
) -> Tensor:
    """Point-BERT's; every level is sampled by itself."""
    fine, middle, coarse = (features.hidden[layer] for layer in head.hidden_layers)
    levels = []
    for size in head.level_sizes:
        index = farthest_point_sample(points, size)
        levels.append(torch.stack([cloud[chosen] for cloud, chosen in zip(points, index)]))
    centers = features.centers
    at_1 = head.propagation_1(levels[0], centers, levels[0], fine)
    at_2 = head.propagation_2(levels[1], centers, levels[1], middle)
    at_2 = slow_graph_propagation(head.dgcnn_pro_2, levels[1], at_2, centers, coarse)
    at_1 = slow_graph_propagation(head.dgcnn_pro_1, levels[0], at_1, levels[1], at_2)
    label = F.one_hot(category, head.num_categories).to(points).unsqueeze(1).repeat(1, points.shape[1], 1)
    x = head.propagation_0(points, levels[0], torch.cat([label, points], dim=2), at_1).transpose(1, 2)
    return head.conv2(F.relu(head.bn1(head.conv1(x)))).transpose(1, 2)


def carry(points: Tensor, centers: Tensor, x: Tensor) -> Tensor:
    """The product with a matrix of all points and all centers, zero but for the three nearest."""
    index, weights = three_nn(points, centers)
    return weights.new_zeros(*points.shape[:2], centers.shape[1]).scatter_(2, index, weights) @ x


def slow_linear(head: PartSegHead, features: BackboneFeatures, points: Tensor, category: Tensor) -> Tensor:
    """Carried tokens on one scale, a linear layer, and an offset for every category."""
    stage_of = {centers.shape[1]: centers for centers in features.tokens.stage_centers}
    hidden = [features.hidden[layer] for layer in head.hidden_layers]
    x = torch.cat([carry(points, stage_of[x.shape[1]], x) for x in hidden], dim=2)
    x = head.norm(x.transpose(1, 2)).transpose(1, 2)
    return head.on_tokens(x) + head.on_category.weight.T[category].unsqueeze(1)


CASES = {
    'plain': ('PointMAE', 'plain', slow_plain),
    'plain with prefix': ('ReCon', 'plain', slow_plain),
    'hierarchical': ('PointM2AE', 'hierarchical', slow_hierarchical),
    'graph': ('PointBERT', 'graph', slow_graph),
    'linear': ('PointGPT', 'linear', slow_linear),
    'linear on a hierarchy': ('PointM2AE', 'linear', slow_linear),
}


@pytest.mark.parametrize('training', [False, True], ids=['eval', 'train'])
@pytest.mark.parametrize('case', CASES)
def test_as_published(case: str, training: bool) -> None:
    """The same numbers with running statistics and with those of the batch."""
    name, head, slow = CASES[case]
    model = build_segmentor(name, head, **({} if head == 'linear' else dict(dropout=0.0))).double()
    inputs, _ = part_batch(4)
    points, category = inputs['points'].double(), inputs['category']
    with torch.no_grad():
        features = model.backbone(points, hidden_layers=model.head.hidden_layers)
        model.head.train(training)
        found = model.head(features, dict(points=points, category=category))
        torch.testing.assert_close(found, slow(model.head, features, points, category), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize('head', ['plain', 'graph'])
def test_heads_of_one_stage_on_a_hierarchy(head: str) -> None:
    """The message names the head that fits."""
    with pytest.raises(
        ValueError, match='tokens of one stage, but the backbone has 3; use HierarchicalPartSegHead'
    ):
        build_segmentor('PointM2AE', head)


def test_three_levels_from_two_blocks() -> None:
    """Point-BERT's decoder has a block for each level."""
    with pytest.raises(
        ValueError, match=r'from three blocks, but the backbone has decoder_layers=\[\(1, 3\)\]'
    ):
        MODELS.build(dict(HEADS['graph'], parts_per_category=(2,), backbone=sizes(decoder_layers=[[1, 3]])))


def test_prefix_of_a_backbone_without() -> None:
    """One sentence instead of a shape error."""
    model = build_segmentor('PointMAE', prefix=True)
    with pytest.raises(ValueError, match='prefix=True needs a backbone with prefix tokens; set prefix=False'):
        model(part_batch(2)[0])


def test_fewer_points_than_the_finest_level() -> None:
    """Point-BERT's decoder samples the cloud again."""
    model = build_segmentor('PointBERT', level_sizes=(80, 24))
    with pytest.raises(ValueError, match=r'64.*80|80.*64'):
        model(part_batch(2)[0])
