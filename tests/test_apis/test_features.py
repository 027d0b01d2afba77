"""Features of clouds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from point_peft.apis import Inferencer, TrainingResult, extract_features, get_model
from point_peft.io.errors import DatasetError, InvalidValueError


def test_are_those_of_the_backbone(trained: TrainingResult, data: Path) -> None:
    """Of the tuned backbone, on the points that predictions see; in any batches, in the order of the inputs."""
    inferencer = Inferencer(trained.checkpoint)
    files = sorted((data / 'rod').iterdir())
    points = torch.stack([answer.points for answer in inferencer.answers(files)])
    with torch.no_grad():
        patches = inferencer.model.backbone(points).patches
    expected = torch.cat([patches.amax(dim=1), patches.mean(dim=1)], dim=-1)
    found = extract_features(trained.checkpoint, data / 'rod')
    assert found.shape == (12, 32) and not found.requires_grad
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    again = extract_features(inferencer, files[::-1], batch_size=5)
    torch.testing.assert_close(again.flip(0), found, atol=1e-5, rtol=1e-5)
    mean = extract_features(inferencer.model, files[:2], pool=['mean'])
    torch.testing.assert_close(mean, expected[:2, 16:], atol=1e-5, rtol=1e-5)
    plain = extract_features(get_model('full/pointmae_mini_folder', num_classes=3), files[:2])
    assert plain.shape == (2, 384)


def test_of_a_name() -> None:
    """The pre-trained backbone of a config; it tells shapes apart, and places and units do not count."""
    rng = np.random.default_rng(0)
    flat = rng.random((2, 1024, 3)) * (1, 1, 0.01)
    long = rng.random((2, 1024, 3)) * (1, 0.01, 0.01)
    found = extract_features('full/pointmae_mini_shapes', [*flat, *long, *(flat * 9 + 7)])
    near, far = (found[0] - found[1]).norm(), (found[0] - found[2]).norm()
    assert near < 0.5 * far
    torch.testing.assert_close(found[:2], found[4:], atol=1e-3, rtol=1e-3)


def test_bad_cloud(trained: TrainingResult, data: Path, tmp_path: Path) -> None:
    """There would be a row missing, so no file is passed over; an unknown way to pool."""
    (tmp_path / 'a.xyz').write_text('1 2\n')
    with pytest.raises(DatasetError, match='a.xyz.* is not a table of numbers'):
        extract_features(trained.checkpoint, [tmp_path / 'a.xyz', data / 'rod'])
    with pytest.raises(InvalidValueError, match='an inferencer has its device and normalisation'):
        extract_features(Inferencer(trained.checkpoint), data / 'rod', normalize='none')
    with pytest.raises(InvalidValueError, match='pool parts .*median'):
        extract_features(trained.checkpoint, data / 'rod', pool=['median'])
