"""What all part segmentation heads share: one-hot categories, the loss and restricted predictions."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_models import build_plain
from small_part_models import FIRST_PART, HEADS, NUM_PARTS, PARTS, allowed_parts, part_batch
from torch.nn import functional as F

from point_peft.heads.part_seg import PartSegHead
from point_peft.registry import MODELS
from point_peft.structures import PointDataSample


@pytest.fixture(params=HEADS)
def head(request: pytest.FixtureRequest) -> PartSegHead:
    """Each of the heads."""
    changes: dict[str, Any] = {} if request.param == 'linear' else dict(dropout=0.0)
    backbone = build_plain('PointM2AE' if request.param == 'hierarchical' else 'PointMAE')
    return MODELS.build(dict(HEADS[request.param], parts_per_category=PARTS, backbone=backbone, **changes))


def test_parts(head: PartSegHead) -> None:
    """Ids follow each other, category after category; the table of them is in no checkpoint."""
    assert (head.num_categories, head.num_parts) == (len(PARTS), NUM_PARTS)
    for category in range(len(PARTS)):
        assert head.allowed[category].nonzero().flatten().tolist() == list(allowed_parts(category))
    assert 'allowed' not in head.state_dict()


def test_predictions_are_parts_of_the_category(head: PartSegHead) -> None:
    """The best of the category's parts, even where another part has a higher logit."""
    inputs, samples = part_batch()
    logits = torch.randn(8, 64, NUM_PARTS)
    found = head.to_samples(logits, inputs, samples)
    assert found == samples
    for index, sample in enumerate(found):
        first, count = FIRST_PART[index % 4], PARTS[index % 4]
        best = logits[index, :, first : first + count].argmax(dim=1) + first
        assert sample.pred_part.dtype == torch.int64 and torch.equal(sample.pred_part, best)
    assert bool((logits.argmax(dim=2) != torch.stack([s.pred_part for s in found])).any())


def test_predictions_without_samples(head: PartSegHead) -> None:
    """New ones are made."""
    found = head.to_samples(torch.randn(2, 5, NUM_PARTS), dict(category=torch.tensor([2, 3])), None)
    assert all(isinstance(sample, PointDataSample) for sample in found)
    assert found[0].pred_part.tolist() == [5] * 5 and set(found[1].pred_part.tolist()) <= {6, 7}


def test_loss(head: PartSegHead) -> None:
    """The mean over all points of minus the log-probability of the true part, among the parts of all categories."""
    _, samples = part_batch()
    logits = torch.randn(8, 64, NUM_PARTS)
    log_probability = logits.log_softmax(dim=-1)
    expected = -sum(
        log_probability[b, n, part]
        for b, s in enumerate(samples)
        for n, part in enumerate(s.gt_part.tolist())
    ) / (8 * 64)
    torch.testing.assert_close(head.loss(logits, samples), {'loss': expected})


def test_one_hot(head: PartSegHead) -> None:
    """In the dtype of the features."""
    found = head.one_hot(torch.tensor([3, 0]), torch.zeros(1, dtype=torch.float64))
    assert torch.equal(found, F.one_hot(torch.tensor([3, 0]), 4).double())


@pytest.mark.parametrize('wrong', [-1, 4])
def test_category_out_of_range(head: PartSegHead, wrong: int) -> None:
    """One sentence with the numbers."""
    with pytest.raises(ValueError, match=rf'category \[0, {wrong}\] is outside \[0, 4\); give the index of'):
        head.one_hot(torch.tensor([0, wrong]), torch.zeros(1))


@pytest.mark.parametrize('wrong', [-1, NUM_PARTS])
def test_label_out_of_range(head: PartSegHead, wrong: int) -> None:
    """One sentence that names the object, and the option."""
    _, samples = part_batch(2)
    samples[1].gt_part[5] = wrong
    low, high = min(wrong, 2), max(wrong, 3)
    message = (
        rf'toy\.txt\[1\] has part labels from {low} to {high}, but the head knows parts 0 to 7; set parts_per'
    )
    with pytest.raises(ValueError, match=message):
        head.loss(torch.randn(2, 64, NUM_PARTS), samples)
