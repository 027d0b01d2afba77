"""Pre-training by several objectives."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from small_models import BACKBONE, clouds
from torch import Tensor

from point_peft.models import JointPretrain
from point_peft.structures import PointDataSample

ENCODER = BACKBONE | dict(class_token=False, drop_path_rate=0.0)
LABELS = dict(type='LabelObjective', num_classes=5, smoothing=0.0)
WORDS = dict(type='WordObjective', num_words=7)
PARTS = dict(type='PartObjective', num_parts=4, smoothing=0.0)
MASKED = dict(type='MaskedObjective', decoder_dim=12, num_targets=3)
VIEWS = dict(type='ViewObjective', hidden_dim=8, out_dim=8)


def build(keep: tuple[float, float] = (0.5, 0.5), **objectives: dict[str, Any]) -> JointPretrain:
    """A small model."""
    torch.manual_seed(0)
    return JointPretrain(ENCODER, objectives, keep=keep)


def samples(**fields: list[Any]) -> list[PointDataSample]:
    """Data samples with the given fields; None leaves a field out."""
    made = [PointDataSample() for _ in next(iter(fields.values()))]
    for name, values in fields.items():
        for sample, value in zip(made, values):
            if value is not None:
                setattr(sample, name, torch.tensor(value, dtype=torch.int64))
    return made


def losses(model: JointPretrain, points: Tensor, known: list[PointDataSample]) -> dict[str, Tensor]:
    """Losses of a step."""
    return model(dict(points=points), known, mode='loss')


def test_all_objectives_train_all_parameters() -> None:
    """Each objective gives a finite loss of its own name, and no parameter is left without a gradient."""
    model = build(labels=LABELS, words=WORDS, parts=PARTS, masked=MASKED, views=VIEWS)
    points = clouds(4)
    known = samples(
        gt_label=[0, 4, 1, None],
        gt_words=[None, [2], [], [0, 6]],
        gt_part=[[i % 4 for i in range(points.shape[1])]] * 4,
    )
    found = losses(model, points, known)
    assert set(found) == {f'loss_{name}' for name in ('labels', 'words', 'parts', 'masked', 'views')}
    assert all(torch.isfinite(loss) and loss > 0 for loss in found.values())
    sum(found.values(), torch.zeros(())).backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []


def test_objectives_pass_over_clouds_that_lack_what_they_need() -> None:
    """The loss of two labelled clouds is that of four of which two say nothing; of none it is zero, with a graph."""
    model = build(labels=LABELS).eval()
    points = clouds(4)
    order = model.choose(points)  # drawn once below, so that both see the same groups
    model.choose = lambda centers: tuple(part[: len(centers)] % centers.shape[1] for part in order)  # type: ignore[method-assign, return-value, assignment]
    few = losses(model, points[:2], samples(gt_label=[3, 1]))['loss_labels']
    all_four = losses(model, points, samples(gt_label=[3, 1, None, None]))['loss_labels']
    torch.testing.assert_close(few, all_four)
    nothing = losses(model, points, samples(gt_label=[None] * 4))['loss_labels']
    assert nothing == 0 and nothing.requires_grad


def test_words_share_the_target() -> None:
    """With equal scores the loss is the logarithm of the number of words, whatever the name says."""
    model = build(words=WORDS)
    torch.nn.init.zeros_(model.objectives['words'].classify.weight)
    torch.nn.init.zeros_(model.objectives['words'].classify.bias)
    loss = losses(model, clouds(2), samples(gt_words=[[1], [0, 3, 6]]))['loss_words']
    assert loss.item() == pytest.approx(math.log(7), abs=1e-5)


def test_parts_are_those_of_the_seen_centers() -> None:
    """A classifier that reads the part off the center's coordinates is right for every token, so its loss is small."""
    model = build(parts=PARTS).eval()
    points = clouds(3)
    part = (points[..., 0] > 0).long()
    view = {}
    original = model.encode

    def spy(*args: Any) -> Any:
        view['made'] = original(*args)
        return view['made']

    model.encode = spy  # type: ignore[method-assign]
    objective = model.objectives['parts']
    seen = []

    class Reader(torch.nn.Module):
        def forward(self, tokens: Tensor) -> Tensor:
            made = view['made']
            centers = made.groups.centers.gather(1, made.seen.unsqueeze(-1).expand(-1, -1, 3))
            seen.append(centers)
            right = (centers[..., 0] > 0).long()
            return torch.nn.functional.one_hot(right, 4).float() * 50

    objective.classify = Reader()
    loss = losses(model, points, samples(gt_part=part.tolist()))['loss_parts']
    assert seen[0].shape[1] == model.MAE_encoder.num_groups // 2
    assert loss < 1e-6


def test_background_has_no_part() -> None:
    """Floor and wall of a scan (-1) do not count; a batch of nothing else costs nothing."""
    model = build(parts=PARTS)
    points = clouds(2)
    assert losses(model, points, samples(gt_part=[[-1] * points.shape[1]] * 2))['loss_parts'] == 0


def test_weight() -> None:
    """The weight multiplies the loss."""
    points, known = clouds(2), samples(gt_label=[0, 1])
    values = []
    for weight in (1.0, 0.25):
        model = build(labels=LABELS | dict(weight=weight))
        torch.manual_seed(1)
        values.append(losses(model, points, known)['loss_labels'].item())
    assert values[1] == pytest.approx(0.25 * values[0])


@pytest.mark.parametrize('one_sided', [0.0, 50.0])
def test_seen_and_hidden_groups_divide_the_cloud(one_sided: float) -> None:
    """Every group is in one of the two; with a large strength they lie on two sides."""
    model = build(labels=LABELS)
    model.one_sided = one_sided
    centers = torch.nn.functional.normalize(torch.randn(8, 16, 3), dim=-1)
    seen, hidden = model.choose(centers)
    assert seen.shape == (8, 8)
    assert torch.equal(torch.cat([seen, hidden], dim=1).sort(dim=1).values, torch.arange(16).expand(8, -1))
    apart = [(a[i].mean(0) - a[j].mean(0)).norm().item() for a, i, j in zip(centers, seen, hidden)]
    assert (sum(apart) / 8 > 0.7) == (one_sided > 0)


def test_hidden_groups_are_not_seen() -> None:
    """Points that belong to hidden groups alone do not change what the classifier gets."""
    model = build(labels=LABELS).eval()
    points = clouds(2)
    with torch.no_grad():
        from point_peft.ops import group

        groups = group(points, model.MAE_encoder.num_groups, model.MAE_encoder.group_size)
        seen, hidden = model.choose(groups.centers)
        before = model.encode(groups, seen, hidden).pooled
        changed = groups.neighborhoods.clone()
        changed[0, hidden[0]] = 9.0
        after = model.encode(groups._replace(neighborhoods=changed), seen, hidden).pooled
    assert torch.equal(before, after)


def test_views_agree_when_they_are_told_apart() -> None:
    """The loss falls when the projection gives each cloud a direction of its own."""
    model = build(views=VIEWS)
    objective = model.objectives['views']
    objective.project = torch.nn.Identity()
    eye = torch.eye(4)
    from point_peft.models.objectives import GroupView

    views = [GroupView(None, eye, None, None, None)] * 2  # type: ignore[arg-type]
    assert objective(views, []) < 0.01
    shuffled = [views[0], GroupView(None, eye.roll(1, 0), None, None, None)]  # type: ignore[arg-type]
    assert objective(shuffled, []) > 5


def test_masked_groups_are_rebuilt_in_units_of_their_size() -> None:
    """The loss does not change with the unit of the cloud, if what is rebuilt grows with it."""
    model = build(masked=MASKED)
    objective = model.objectives['masked']
    torch.nn.init.zeros_(objective.rebuild.weight)  # rebuilds the center of every group
    torch.nn.init.zeros_(objective.rebuild.bias)
    values = []
    for unit in (1.0, 10.0):
        torch.manual_seed(1)
        values.append(losses(model, clouds(2) * unit, [])['loss_masked'].item())
    assert values[1] == pytest.approx(values[0], rel=1e-4)


def test_descriptor_and_checkpoint(tmp_path: Any) -> None:
    """``tensor`` gives the encoder's descriptor, and a checkpoint loads into the backbone that is fine-tuned."""
    from point_peft.backbones import PointMAE

    model = build(labels=LABELS).eval()
    points = clouds(2)
    described = model(dict(points=points))
    assert torch.equal(described, model.MAE_encoder.summarize(model.MAE_encoder.embed(points)))
    path = tmp_path / 'epoch_1.pth'
    torch.save(dict(state_dict=model.state_dict()), path)
    arguments = {key: value for key, value in BACKBONE.items() if key != 'type'}
    backbone = PointMAE(**arguments, init_cfg=dict(type='Pretrained', checkpoint=str(path)))
    backbone.init_weights()
    assert torch.equal(backbone.eval().summarize(backbone.embed(points)), described)


@pytest.mark.parametrize('keep', [(0.0, 0.5), (0.8, 0.4), (0.5, 1.2)])
def test_wrong_share(keep: tuple[float, float]) -> None:
    """A range of shares that makes no sense is refused."""
    with pytest.raises(ValueError, match='keep='):
        build(keep=keep, labels=LABELS)


def test_nothing_to_train() -> None:
    """Without an objective there is nothing to do."""
    with pytest.raises(ValueError, match='objectives is empty'):
        build()


def test_everything_seen() -> None:
    """With all groups seen nothing is left to rebuild or compare, which costs nothing or is one view only."""
    model = build(keep=(1.0, 1.0), masked=MASKED, labels=LABELS)
    found = losses(model, clouds(2), samples(gt_label=[0, 1]))
    assert found['loss_masked'] == 0
    assert found['loss_labels'] > 0
