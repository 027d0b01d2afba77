"""From data samples to what is shown."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from point_peft.structures import PointDataSample
from point_peft.visualization import show_sample

META = dict(
    classes=('cap', 'mug'),
    parts=('cap/1', 'cap/2', 'mug/1', 'mug/2'),
    class_parts=dict(cap=(0, 1), mug=(2, 3)),
)
POINTS = torch.rand(4, 3, generator=torch.Generator().manual_seed(0))


def sample(**fields: int | list) -> PointDataSample:
    """A data sample with these fields."""
    found = PointDataSample(metainfo=dict(sample_idx=0, source='/data/mug.h5[3]'))
    for name, value in fields.items():
        setattr(found, name, torch.tensor(value))
    return found


@pytest.mark.parametrize(
    ('fields', 'title', 'right'),
    [
        (dict(pred_label=1, gt_label=1, pred_scores=[0.25, 0.75]), 'true: mug\npredicted: mug (75 %)', True),
        (dict(pred_label=0, gt_label=1), 'true: mug\npredicted: cap', False),
        (dict(pred_label=0), 'predicted: cap', None),
    ],
)
def test_classes(fields: dict, title: str, right: bool | None) -> None:
    """Title with file, true and predicted class; the truth may be unknown."""
    shown = show_sample(sample(**fields), POINTS, META)
    assert (shown.title, shown.right, shown.panels) == (f'mug.h5[3]\n{title}', right, ('',))
    np.testing.assert_array_equal(shown.points, POINTS.numpy())


def test_parts() -> None:
    """Both labellings; the mean IoU by hand: of part 2 one of three, of part 3 one of three points."""
    shown = show_sample(sample(category=1, gt_part=[2, 2, 3, 3], pred_part=[2, 3, 3, 2]), POINTS, META)
    assert shown.title == 'mug, mug.h5[3]: mean IoU 33.3 %'
    assert shown.names == {2: 'mug/1', 3: 'mug/2'}
    assert list(shown.labels) == ['true', 'predicted']
    assert shown.labels['true'].tolist() == [2, 2, 3, 3]
    assert shown.labels['predicted'].tolist() == [2, 3, 3, 2]


def test_parts_without_truth_or_names() -> None:
    """What is not known is left out."""
    fields = dict(category=1, pred_part=[2, 3, 3, 2])
    shown = show_sample(sample(**fields), POINTS, META)
    assert (shown.title, list(shown.labels)) == ('mug, mug.h5[3]', ['predicted'])
    bare = show_sample(sample(**fields, gt_part=[2, 2, 2, 2]), POINTS, {})
    assert (bare.title, bare.names) == ('1, mug.h5[3]', {})
    assert bare.label_name(2) == '2'
    unnamed = show_sample(sample(**fields), POINTS, {**META, 'parts': ()})
    assert unnamed.label_name(2) == '2'


def test_nothing_to_show() -> None:
    """Predictions of another task, or of other points, are refused."""
    with pytest.raises(
        ValueError, match=r"none of 'pred_label', .* and 'pred_pts_seg'; it has \['gt_label'\]"
    ):
        show_sample(sample(gt_label=1), POINTS, META)
    few: Tensor = POINTS[:3]
    with pytest.raises(ValueError, match='3 points came with predicted labels'):
        show_sample(sample(category=1, pred_part=[2, 3, 3, 2]), few, META)
