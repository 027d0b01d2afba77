"""Which predicted boxes are returned."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip('mmdet3d')

from mmdet3d.structures import DepthInstance3DBoxes

from point_peft.detection.box_selection import enclosing_extents, select_boxes

CENTERS = torch.tensor([[0.0, 0, 0], [0.1, 0, 0], [5, 0, 0], [0.1, 0, 0], [9, 0, 0]])
SCORES = torch.tensor([[0.6, 0.1], [0.8, 0.1], [0.01, 0.02], [0.1, 0.5], [0.9, 0.0]])
"""Two overlapping boxes of class 0, an improbable one, one of class 1 at the place of the second, and an empty one."""


def boxes() -> DepthInstance3DBoxes:
    """Cubes of one metre."""
    tensor = torch.cat([CENTERS, torch.ones(5, 3), torch.zeros(5, 1)], dim=1)
    return DepthInstance3DBoxes(tensor, origin=(0.5, 0.5, 0.5))


def points(last: int = 4) -> torch.Tensor:
    """Ten points with a color in each of the first four boxes, ``last`` in the fifth."""
    places = torch.cat([CENTERS[:4].repeat_interleave(10, dim=0), CENTERS[4:].expand(last, -1)])
    return torch.cat([places + 0.1 * torch.rand_like(places), torch.rand(len(places), 3)], dim=1)


def test_empty_improbable_and_overlapping_boxes_go() -> None:
    result = select_boxes(boxes(), SCORES, points(), per_class_proposal=False)
    assert result.labels_3d.tolist() == [0, 1]
    assert result.scores_3d.tolist() == pytest.approx([0.8, 0.5])
    torch.testing.assert_close(result.bboxes_3d.gravity_center, CENTERS[[1, 3]])


def test_five_points_are_enough() -> None:
    assert len(select_boxes(boxes(), SCORES, points(last=5), per_class_proposal=False)) == 3


@pytest.mark.parametrize(
    ('changes', 'kept'),
    [
        (dict(), [1, 3]),
        (dict(min_points=0), [1, 3, 4]),
        (dict(nms_thr=None), [0, 1, 3]),
        (dict(score_thr=0.0), [1, 2, 3]),
        (dict(score_thr=0.65), [1]),
        (dict(score_thr=1.0), []),
        (dict(nms_thr=0.9), [0, 1, 3]),
    ],
)
def test_every_box_comes_once_for_every_class(changes: dict, kept: list[int]) -> None:
    result = select_boxes(boxes(), SCORES, points(), **changes)
    assert sorted(result.labels_3d.tolist()) == [0] * len(kept) + [1] * len(kept)
    for label in range(2):
        of_class = result[result.labels_3d == label]
        assert sorted(of_class.scores_3d.tolist()) == sorted(SCORES[kept, label].tolist())
        assert sorted(of_class.bboxes_3d.gravity_center[:, 0].tolist()) == sorted(CENTERS[kept, 0].tolist())


def test_extents_enclose_a_rotated_box() -> None:
    box = DepthInstance3DBoxes(torch.tensor([[1.0, 2, 3, 2, 1, 4, torch.pi / 2]]))
    torch.testing.assert_close(enclosing_extents(box), torch.tensor([[0.5, 1, 3, 1.5, 3, 7]]))
