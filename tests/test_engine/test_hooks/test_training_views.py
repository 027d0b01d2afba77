"""Training on some views of every cloud, through the engine."""

from __future__ import annotations

import json
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmengine.runner import EpochBasedTrainLoop
from small_models import METHODS, build_classifier, small_config, write_pretrained
from torch import Tensor, nn

from point_peft.apis import train
from point_peft.engine.hooks import TrainingViewsHook
from point_peft.engine.hooks.training_views import example_results, reason_against, rows_in_file
from point_peft.heads import PointClsHead
from point_peft.io.errors import ConfigError
from point_peft.methods import PEFTBackbone
from point_peft.models import PointDataPreprocessor

EPOCHS = 5


class Seen:
    """What happens in trainings, for each: losses of the steps, clouds and batches that were embedded for them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.losses: list[list[float]] = []
        self.points: list[list[Tensor]] = []
        self.embedded: list[int] = []
        loss, embed, forward = PointClsHead.loss, PEFTBackbone.embed, PEFTBackbone.forward

        def noted_loss(head: Any, *args: Any) -> Any:
            found = loss(head, *args)
            self.losses[-1].append(float(sum(found.values()).detach()))
            return found

        def noted_embed(backbone: Any, points: Tensor) -> Any:
            self.embedded[-1] += backbone.training and torch.is_grad_enabled()
            return embed(backbone, points)

        def noted_forward(backbone: Any, points: Tensor, **kwargs: Any) -> Any:
            if backbone.training:
                self.points[-1].append(points)
            return forward(backbone, points, **kwargs)

        monkeypatch.setattr(PointClsHead, 'loss', noted_loss)
        monkeypatch.setattr(PEFTBackbone, 'embed', noted_embed)
        monkeypatch.setattr(PEFTBackbone, 'forward', noted_forward)

    def run(self, folder: Path, hook: dict[str, Any] | None, *, epochs: int = EPOCHS, **options: Any) -> Any:
        """Train on two batches of 16 clouds in every epoch."""
        self.losses.append([])
        self.points.append([])
        self.embedded.append(0)
        folder.mkdir(exist_ok=True)
        cfg = small_config(folder, checkpoint=write_pretrained(folder / 'pretrained.pth'))
        cfg.train_cfg.max_epochs, cfg.train_cfg.val_interval = epochs, 2
        cfg.train_dataloader.batch_size = 16
        cfg.default_hooks.views = hook
        cfg.dump(folder / 'config.py')
        return train(folder / 'config.py', work_dir=folder / 'work', device='cpu', **options)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    return Seen(monkeypatch)


HOOK = dict(type='TrainingViewsHook', num_views=2)


def test_views_are_embedded_once(tmp_path: Path, seen: Seen, log: Any) -> None:
    """The first epochs are those of a training without views; the others see their clouds again."""
    seen.run(tmp_path / 'without', None)
    found = seen.run(tmp_path / 'memory', HOOK)
    in_file = seen.run(tmp_path / 'file', dict(HOOK, in_file=True))
    assert seen.embedded == [10, 4, 4]
    without, memory, file = seen.losses
    assert len(without) == 10 and memory == file and found.accuracies == in_file.accuracies
    assert memory[:4] == without[:4] and all(a != b for a, b in zip(memory[4:], without[4:]))
    epochs = [torch.cat(seen.points[1][start : start + 2]) for start in range(0, 10, 2)]
    ordered = [points[points.flatten(1).double().sum(dim=1).argsort()] for points in epochs]
    assert torch.equal(ordered[0], ordered[2]) and torch.equal(ordered[0], ordered[4])
    assert torch.equal(ordered[1], ordered[3]) and not torch.equal(ordered[0], ordered[1])
    lines = [line for line in log.at('INFO') if '2 views of 32 clouds are kept in' in line]
    assert len(lines) == 2 and 'in memory: 0.4 MB, 7 KB for each' in lines[0] and 'in a file in ' in lines[1]
    assert not list((tmp_path / 'file' / 'work').glob('tmp*'))


def test_a_resumed_training_draws_its_views_anew(tmp_path: Path, seen: Seen) -> None:
    """It has kept nothing, so nothing wrong is read."""
    seen.run(tmp_path, HOOK, epochs=2)
    seen.run(tmp_path, HOOK, epochs=6, resume='auto')
    assert seen.embedded == [4, 4] and len(seen.losses[1]) == 8


def test_views_that_are_seen_once(tmp_path: Path, seen: Seen, log: Any) -> None:
    """They spare nothing, which is said."""
    seen.run(tmp_path, dict(HOOK, num_views=3), epochs=3)
    assert any('no view is seen twice in 3 epochs, so num_views=3' in line for line in log.at('WARNING'))


def test_not_enough_room(tmp_path: Path, seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before training, with what is needed and what to change."""
    with pytest.raises(
        ConfigError, match=r'2 views of 32 clouds take 1 MB, more than max_mb=0\.25 of .*num_views'
    ):
        seen.run(tmp_path, dict(HOOK, max_mb=0.25))
    usage = namedtuple('usage', 'total used free')(1, 1, 2**17)
    monkeypatch.setattr('point_peft.engine.hooks.training_views.shutil.disk_usage', lambda _: usage)
    with pytest.raises(ConfigError, match=r'take 1 MB, but \S+ has 0 MB left; make room there'):
        seen.run(tmp_path, dict(HOOK, in_file=True))
    assert seen.losses == [[], []]


@pytest.mark.parametrize(
    'arguments', [dict(num_views=0), dict(num_views=2.5), dict(max_mb=0)], ids=json.dumps
)
def test_nothing_to_keep(arguments: dict[str, Any]) -> None:
    """Instead of keeping nothing without a word."""
    with pytest.raises(ConfigError, match='of TrainingViewsHook keep nothing; give a whole number of views'):
        TrainingViewsHook(**arguments)


def classifier(*methods: dict[str, Any], full: bool = False) -> nn.Module:
    model = build_classifier(None if full else methods)
    model.data_preprocessor = PointDataPreprocessor()
    return model


LOOP = EpochBasedTrainLoop.__new__(EpochBasedTrainLoop)


@pytest.mark.parametrize(
    ('methods', 'reason'),
    [
        ([dict(type='SelectiveTuning', embedding=True)], 'what embeds the clouds is trained'),
        ([dict(type='GAPrompt', num_tokens=4, num_neighbors=4)], 'GAPrompt moves the points'),
        (METHODS['point_peft'], ''),
        (METHODS['linear_probe'], ''),
    ],
)
def test_methods(methods: list[dict[str, Any]], reason: str) -> None:
    """The weights that embed must be frozen, and the points those that were augmented."""
    found = reason_against(classifier(*methods), LOOP)
    assert reason in found and bool(found) == bool(reason)


def test_other_trainings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is told why."""
    assert 'what embeds the clouds is trained' in reason_against(classifier(full=True), LOOP)
    model = classifier(*METHODS['lora'])
    assert 'train_cfg counts iterations' in reason_against(model, SimpleNamespace())
    assert 'this is a Linear' in reason_against(nn.Linear(1, 1), LOOP)
    model.compile_training()
    assert 'the training is compiled' in reason_against(model, LOOP)
    monkeypatch.setattr('point_peft.engine.hooks.training_views.get_world_size', lambda: 2)
    assert 'each of several processes sees other clouds' in reason_against(model, LOOP)


def test_refused_with_one_sentence(tmp_path: Path, seen: Seen) -> None:
    """Before training."""
    hook = TrainingViewsHook()
    runner = SimpleNamespace(model=classifier(full=True), train_loop=LOOP)
    with pytest.raises(
        ConfigError, match=r'^TrainingViewsHook cannot keep views of this training: what .*out\.$'
    ):
        hook.before_train(runner)


def test_an_embedding_that_is_drawn() -> None:
    """As by drop-out."""
    model = classifier(*METHODS['lora'])
    embed = model.backbone.backbone.embed_groups
    model.backbone.backbone.embed_groups = lambda x: embed(x) * torch.rand(())
    with pytest.raises(ConfigError, match='embeds the same clouds differently each time'):
        example_results(model, dict(inputs=dict(points=torch.randn(1, 64, 3))))


def test_the_model_stays_as_it_is() -> None:
    """Looking at what is kept changes neither batch norms nor random numbers."""
    model = classifier(*METHODS['point_peft']).train()
    model.data_preprocessor = PointDataPreprocessor(augments=[dict(type='RandomJitter')])
    state = {name: value.clone() for name, value in model.state_dict().items()}
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    found = example_results(
        model, dict(inputs=dict(points=torch.randn(1, 64, 3, generator=torch.Generator())))
    )
    assert torch.equal(torch.rand(2), expected) and list(found) == ['points', 'tokens']  # there is no bank
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert model.training and model.backbone.evaluation_cache is None


def test_rows_in_a_file(tmp_path: Path) -> None:
    """Of any type and shape, without a name."""
    allocate = rows_in_file(tmp_path)
    for dtype in (torch.float32, torch.int64, torch.bfloat16):
        rows = allocate((2, 3, 5), dtype)
        rows[1, 2] = torch.arange(5).to(dtype)
        assert rows.dtype == dtype and rows.shape == (2, 3, 5) and rows[1, 2].tolist() == [0, 1, 2, 3, 4]
    assert not list(tmp_path.iterdir())
