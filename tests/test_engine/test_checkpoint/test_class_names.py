"""Classes go by position: a checkpoint is used only with the names that it was trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.runner import Runner
from toy_engine import ToyClouds, ToyModel, make_config

from point_peft.engine.checkpoint.class_names import check_same_names
from point_peft.io.errors import CheckpointError, ConfigError, OtherClassesError
from point_peft.io.weights import HASHES_KEY
from point_peft.registry import DATASETS

ADVICE = 'do something'


@DATASETS.register_module()
class NamedClouds(ToyClouds):
    """The toy's clouds with other names."""

    def __init__(self, data_root: str = '', *, names: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(data_root, **kwargs)
        self.metainfo = names


@pytest.fixture(scope='module')
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The work directory of a training on the classes ball, can, cross."""
    work = tmp_path_factory.mktemp('trained')
    run(work, ('ball', 'can', 'cross')).train()
    return work


def run(work: Path, *names: tuple[str, ...], **changes: Any) -> Runner:
    """A runner whose training, validation and test sets have these names, one for all or one each."""
    cfg = make_config(work, epochs=1, **{'default_hooks.protocol': None, **changes})
    for loader, classes in zip(('train', 'val', 'test'), names * 3 if len(names) == 1 else names):
        cfg[f'{loader}_dataloader'].dataset.update(type='NamedClouds', names=dict(classes=classes))
    return Runner.from_cfg(cfg)


def test_on(work: Path, checkpoint: Path, classes: tuple[str, ...], **changes: Any) -> dict[str, float]:
    """Test a checkpoint as ``tools/test.py`` does."""
    none = ('train_dataloader', 'train_cfg', 'optim_wrapper', 'param_scheduler', 'val_dataloader', 'val_cfg',
            'val_evaluator')  # fmt: skip
    cfg = make_config(work, load_from=str(checkpoint), **changes)
    cfg.test_dataloader.dataset.update(type='NamedClouds', names=dict(classes=classes))
    for name in none:
        cfg[name] = None
    return Runner.from_cfg(cfg).test()


test_on.__test__ = False  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ('classes', 'message'),
    [
        (('a_can', 'ball', 'cross'), "class 0 is 'ball' there and 'a_can' here"),
        (('can', 'ball', 'cross'), 'the order differs'),
    ],
)
def test_other_names_are_refused_in_a_test(trained: Path, tmp_path: Path, classes: Any, message: str) -> None:
    with pytest.raises(
        OtherClassesError, match=rf'epoch_1\.pth was trained on the classes \(ball, .*{message}'
    ):
        test_on(tmp_path, trained / 'epoch_1.pth', classes)


def test_the_same_names_and_other_ones_that_are_meant(trained: Path, tmp_path: Path) -> None:
    file = trained / 'epoch_1.pth'
    wanted = test_on(tmp_path, file, ('ball', 'can', 'cross'))
    allowed = {'default_hooks.check_classes.allow_other_names': True}
    assert test_on(tmp_path, file, ('Ball', 'tin', 'plus'), **allowed) == wanted
    assert 'going on all the same' in next(iter(sorted(tmp_path.rglob('*.log'))[-1:])).read_text()


@pytest.mark.parametrize('resume', [True, False])
def test_resuming_and_starting_from_other_classes(trained: Path, tmp_path: Path, resume: bool) -> None:
    """The sentence says what to do, which differs."""
    runner = run(tmp_path, ('can', 'ball', 'cross'), load_from=str(trained / 'epoch_1.pth'), resume=resume)
    with pytest.raises(OtherClassesError, match='the order differs') as raised:
        runner.train()
    assert ('new_head=True' in str(raised.value)) != resume


def test_a_new_head_for_other_classes(trained: Path, tmp_path: Path) -> None:
    """All but the head is taken, whatever its size; resuming such a run does not take its head away."""
    new = {'default_hooks.check_classes.new_head': True, 'model.num_classes': 4}
    names = ('a', 'b', 'c', 'd')
    before = torch.load(trained / 'epoch_1.pth', weights_only=True)['state_dict']
    with pytest.raises(OtherClassesError, match='their number differs.*new_head=True'):
        run(tmp_path, names, load_from=str(trained / 'epoch_1.pth'), **{'model.num_classes': 4}).train()
    runner = run(
        tmp_path, names, load_from=str(trained / 'epoch_1.pth'), **{'optim_wrapper.optimizer.lr': 0.0, **new}
    )
    runner.train()
    assert torch.equal(runner.model.backbone.linear.weight.cpu(), before['backbone.linear.weight'])
    assert runner.model.head[1].weight.shape == (4, 16)
    logs = [path.read_text() for path in tmp_path.rglob('*.log')]
    assert any('is not used: the model trains a new one' in log for log in logs)
    head = runner.model.head[1].weight.clone()
    again = run(tmp_path, names, load_from=str(tmp_path / 'epoch_1.pth'), resume=True, **new)
    again.train()
    assert torch.equal(again.model.head[1].weight, head)


def test_sets_of_one_run(tmp_path: Path) -> None:
    """Validation with other names is refused before the first step."""
    with pytest.raises(
        OtherClassesError, match=r'this run was trained on the classes \(a, b, c\), but NamedClouds'
    ):
        run(tmp_path, ('a', 'b', 'c'), ('a', 'c', 'b'), ('a', 'b', 'c')).train()


def test_files_without_names_are_taken_with_a_notice(trained: Path, tmp_path: Path) -> None:
    content = torch.load(trained / 'epoch_1.pth', weights_only=True)
    del content['meta']['dataset_meta'], content[HASHES_KEY]
    torch.save(content, tmp_path / 'unnamed.pth')
    test_on(tmp_path, tmp_path / 'unnamed.pth', ('x', 'y', 'z'))
    log = next(tmp_path.rglob('*.log')).read_text()
    assert 'unnamed.pth does not name its classes; they are taken to be those of NamedClouds' in log


def test_best_files_cannot_be_resumed_from(trained: Path, tmp_path: Path) -> None:
    """They have no optimizer; the sentence says what they are good for."""
    best = next(trained.glob('best_*.pth'))
    with pytest.raises(CheckpointError, match=r'cannot be resumed from, as it has no optimizer.*load_from'):
        run(tmp_path, ('ball', 'can', 'cross'), load_from=str(best), resume=True).train()


def test_a_state_of_another_optimizer(trained: Path, tmp_path: Path) -> None:
    content = torch.load(trained / 'epoch_1.pth', weights_only=True)
    content['optimizer']['param_groups'][0]['params'].pop()
    del content[HASHES_KEY]
    torch.save(content, tmp_path / 'other.pth')
    with pytest.raises(
        CheckpointError, match=r'other\.pth cannot be resumed from: group 0 of its optimizer has'
    ):
        run(tmp_path, ('ball', 'can', 'cross'), load_from=str(tmp_path / 'other.pth'), resume=True).train()


def test_parts_by_hand() -> None:
    one = dict(classes=('a',), parts=('x', 'y'), class_parts={'a': (0, 1)})
    check_same_names(one, dict(classes=['a'], class_parts={'a': [0, 1]}), 'f', 'D', advice=ADVICE)
    check_same_names(one, {}, 'f', 'D', advice=ADVICE)
    with pytest.raises(
        OtherClassesError, match=r"parts \(x, y\), but D has \(x, z\): part 1 is 'y' there and 'z'"
    ):
        check_same_names(one, dict(one, parts=('x', 'z')), 'f', 'D', advice=ADVICE)
    with pytest.raises(
        OtherClassesError, match=r'other parts of the classes than D has .class_parts.; do something\.'
    ):
        check_same_names(one, dict(one, class_parts={'a': (1, 0)}), 'f', 'D', advice=ADVICE)


def test_a_head_of_another_size_is_still_refused(tmp_path: Path) -> None:
    """The number of classes is compared where a head says it."""
    model = ToyModel()
    model.head.num_classes = 3
    runner = run(tmp_path, ('a', 'b'))
    runner.model = model
    with pytest.raises(ConfigError, match='has 2 classes, but model.head.num_classes is 3'):
        runner.train()
