"""The hook that draws test clouds, without a runner."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.model import BaseModel
from torch import Tensor

from point_peft import visualization
from point_peft.engine.hooks import ShowHook
from point_peft.engine.hooks import show as show_module
from point_peft.models import PointDataPreprocessor, ScenePreprocessor
from point_peft.structures import PointDataSample
from point_peft.visualization.scenes import MAX_BOXES, SCORE_THRESHOLD

POINTS = torch.rand(6, 20, 3, generator=torch.Generator().manual_seed(0))


class VotingModel(BaseModel):
    """Sees every batch twice, the second time enlarged."""

    def __init__(self) -> None:
        super().__init__(data_preprocessor=dict(type=PointDataPreprocessor))

    def forward(self, inputs: dict, data_samples: list | None = None, mode: str = 'predict') -> list:
        """Class 0 for all."""
        samples = [PointDataSample() for _ in inputs['points']]
        for sample in samples:
            sample.pred_label = torch.tensor(0)
        return samples

    def test_step(self, data: dict) -> list:
        """Two votes."""
        super().test_step(data)
        return super().test_step(dict(inputs=dict(points=[10 * cloud for cloud in data['inputs']['points']])))


def run(hook: ShowHook, points: Tensor = POINTS) -> None:
    """A test of a few clouds in batches of 2."""
    runner = SimpleNamespace(
        model=VotingModel(),
        logger=logging.getLogger('test'),
        test_dataloader=SimpleNamespace(dataset=type('Data', (), {'__len__': lambda self: len(points)})()),
    )
    hook.before_test(runner)
    for index in range(0, len(points), 2):
        hook.before_test_iter(runner, index)
        outputs = runner.model.test_step(dict(inputs=dict(points=list(points[index : index + 2]))))
        hook.after_test_iter(runner, index, outputs=outputs)
    hook.after_test_epoch(runner)
    assert not runner.model.data_preprocessor._forward_hooks


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list:
    """What the hook would draw."""
    found: list = []
    monkeypatch.setattr(ShowHook, '_write', lambda self, clouds: found.append(list(clouds)))
    return found


def test_first_vote_of_the_first_clouds(tmp_path: Path, written: list) -> None:
    """The points are those of the first pass through the model, without names where the data has none; twice too."""
    hook = ShowHook(str(tmp_path), num_samples=3)
    for _ in range(2):
        run(hook)
    for clouds in written:
        np.testing.assert_array_equal([cloud.points for cloud in clouds], POINTS[:3].numpy())
        assert {cloud.title for cloud in clouds} == {'predicted: 0'}
    assert len(written) == 2


@pytest.mark.parametrize('name', ['cloud_000.png', 'clouds.html'])
def test_full_disk(tmp_path: Path, full_disk: list[str], log, name: str) -> None:
    """Pictures and the page cost one warning, not the test."""
    full_disk.append(name)
    run(ShowHook(str(tmp_path), num_samples=1))
    (warning,) = log.at('WARNING')
    assert warning.startswith(f'the pictures in {tmp_path} could not be written ([Errno 28] No space left')
    assert not list(tmp_path.rglob(f'*{name}*'))


def test_limits_of_boxes(tmp_path: Path, written: list, monkeypatch: pytest.MonkeyPatch) -> None:
    """Score and number reach what picks the boxes; by default they are those of a call without them."""
    given: list = []
    show = visualization.show_sample

    def show_sample(*arguments: object, **limits: object) -> object:
        given.append(limits)
        return show(*arguments, **limits)

    monkeypatch.setattr(visualization, 'show_sample', show_sample)
    run(ShowHook(str(tmp_path), num_samples=1, score_threshold=0.05, max_boxes=7))
    run(ShowHook(str(tmp_path), num_samples=1))
    assert given == [
        dict(score_threshold=0.05, max_boxes=7),
        dict(score_threshold=SCORE_THRESHOLD, max_boxes=MAX_BOXES),
    ]


def test_rooms_in_metres(tmp_path: Path) -> None:
    """Of a scene preprocessor's output the points as they came are taken, not those in the unit sphere."""
    hook, preprocessor = ShowHook(str(tmp_path)), ScenePreprocessor()
    room = 5 + torch.rand(30, 6)
    hook._keep_points(preprocessor, None, preprocessor(dict(inputs=dict(points=[room]))))
    torch.testing.assert_close(hook._points, room[None])


def test_processes_share_the_clouds(tmp_path: Path, written: list, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of two processes keeps half of the clouds, rounded up; what is collected is cut to the number asked for."""
    asked: list = []
    monkeypatch.setattr(show_module, 'get_world_size', lambda: 2)
    monkeypatch.setattr(
        show_module, 'collect_results', lambda part, size: asked.append((len(part), size)) or part
    )
    run(ShowHook(str(tmp_path), num_samples=5))
    run(ShowHook(str(tmp_path), num_samples=50))
    assert asked == [(3, 5), (6, 6)]


def test_other_processes_draw_nothing(tmp_path: Path, written: list, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that collects nothing neither makes the directory nor draws."""
    monkeypatch.setattr(show_module, 'is_main_process', lambda: False)
    monkeypatch.setattr(show_module, 'collect_results', lambda part, size: None)
    run(ShowHook(str(tmp_path / 'out')))
    assert not written
    assert not (tmp_path / 'out').exists()
