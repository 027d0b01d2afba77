from __future__ import annotations

import math
import re
import sys
from collections import Counter
from collections.abc import Callable, Container
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from mmengine.runner import Runner
from small_models import small_config
from toy_engine import make_config, write_pretrained
from toy_tools import run, run_python, write_config

from point_peft.engine.hooks import finite
from point_peft.io.errors import NonFiniteError
from point_peft.io.weights import load_checkpoint_file

STEPS = 4
"""Steps of an epoch of the toy."""


class Watch(Hook):
    """Counts the steps that are taken."""

    steps = 0

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        self.steps += 1


def train(work_dir: Path, **changes: Any) -> int:
    """Train the toy; the number of steps it took until it stopped."""
    cfg = make_config(work_dir, **changes)
    cfg.test_dataloader = cfg.test_cfg = cfg.test_evaluator = None
    runner, watch = Runner.from_cfg(cfg), Watch()
    runner.register_hook(watch)
    with pytest.raises(NonFiniteError) as caught:
        runner.train()
    work_dir.mkdir(exist_ok=True)
    (work_dir / 'sentence').write_text(str(caught.value))
    return watch.steps


def poison(**options: Any) -> dict[str, Any]:
    return dict(custom_hooks=[dict(type='Poison', **options)])


def all_files_are_finite(work_dir: Path) -> bool:
    states = [load_checkpoint_file(path)['state_dict'] for path in work_dir.glob('*.pth')]
    return all(bool(value.isfinite().all()) for state in states for value in state.values())


@pytest.mark.parametrize('value', ['nan', 'inf'])
def test_loss(tmp_path: Path, value: str) -> None:
    """It stops in this very step, and names it and the last file."""
    assert train(tmp_path, **poison(step=STEPS + 2, value=value)) == STEPS + 2
    sentence = (tmp_path / 'sentence').read_text()
    assert re.match(r'loss is nan at iteration 6 \(epoch 2\), so training stops; ', sentence)
    assert f'the last good checkpoint is {tmp_path / "epoch_1.pth"}:' in sentence
    assert sentence.count('. ') == 0
    assert all_files_are_finite(tmp_path)
    assert (tmp_path / 'last_checkpoint').read_text() == str(tmp_path / 'epoch_1.pth')
    assert len(list(tmp_path.glob('best_*.pth'))) == 1


@pytest.mark.parametrize('value', ['nan', 'inf', '-inf'])
@pytest.mark.parametrize(
    'place', ['adapter.0.weight', 'head.0.running_var', 'head.0.running_mean', 'head.1.bias']
)
def test_weight_or_statistic_after_a_step(tmp_path: Path, place: str, value: str) -> None:
    """What a hook breaks behind the check of its step is found in the next one."""
    assert train(tmp_path, **poison(step=2, place=place, value=value)) == 3
    assert (
        'at iteration 3 (epoch 1), so training stops before any checkpoint was saved'
        in (tmp_path / 'sentence').read_text()
    )
    assert not list(tmp_path.glob('*.pth'))


@pytest.mark.parametrize(
    'place', ['head.1.weight', 'head.0.running_var', 'backbone.linear.weight', 'bank.rows']
)
def test_broken_model_is_not_saved(tmp_path: Path, place: str) -> None:
    """In the last step of an epoch only the saving comes between."""
    assert train(tmp_path, **poison(step=2 * STEPS, place=place)) == 2 * STEPS
    sentence = (tmp_path / 'sentence').read_text()
    assert sentence.startswith(
        f'the model is not finite after iteration {2 * STEPS} ({place}), so it is not saved'
    )
    assert f'the last good checkpoint is {tmp_path / "epoch_1.pth"}:' in sentence
    assert sorted(path.name for path in tmp_path.glob('*.pth')) == [
        'best_overall_accuracy_epoch_1.pth',
        'epoch_1.pth',
    ]


def test_saving_by_iterations(tmp_path: Path) -> None:
    changes = poison(step=6, place='head.1.weight')
    changes.update(
        {
            'train_cfg': dict(by_epoch=False, max_iters=12, val_interval=4, _delete_=True),
            'default_hooks.checkpoint': dict(by_epoch=False, interval=2),
            'default_hooks.protocol': None,
            'log_processor.by_epoch': False,
        }
    )
    train(tmp_path, **changes)
    assert 'after iteration 6' in (tmp_path / 'sentence').read_text()
    assert (tmp_path / 'last_checkpoint').read_text().endswith('iter_4.pth')
    assert all_files_are_finite(tmp_path)


def test_gradient_accumulation(tmp_path: Path) -> None:
    """The loss counts before the step that would use its gradients."""
    changes = {'optim_wrapper.accumulative_counts': 4, **poison(step=2)}
    assert train(tmp_path, **changes) == 2


def test_learning_rate_that_explodes(tmp_path: Path) -> None:
    """Nobody breaks anything here but the learning rate."""
    changes = {'optim_wrapper.optimizer': dict(type='SGD', lr=1e30), 'optim_wrapper.clip_grad': None}
    steps = train(tmp_path, param_scheduler=None, **changes)
    assert steps < 12
    assert f'at iteration {steps} ' in (tmp_path / 'sentence').read_text()


def test_weights_that_training_would_start_from(tmp_path: Path) -> None:
    path = write_pretrained(tmp_path / 'base.pth')
    base = torch.load(path)
    base['state_dict']['norm.running_var'][3] = math.inf
    torch.save(base, path)
    assert train(tmp_path / 'work', pretrained=path) == 0
    assert 'backbone.norm.running_var' in (tmp_path / 'work' / 'sentence').read_text()


def test_mask_of_infinities_is_no_fault(tmp_path: Path) -> None:
    cfg = make_config(tmp_path, epochs=1)
    runner = Runner.from_cfg(cfg)
    runner.model.register_buffer('mask', torch.tensor([0.0, -math.inf]))
    runner.train()
    assert (tmp_path / 'epoch_1.pth').exists()


class Arrival:
    """Stands for the arrival of a flag from a GPU."""

    def synchronize(self) -> None:
        """It was queued before what MMEngine has waited for."""


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> dict[int, torch.Tensor]:
    """Flags arrive late, as they do from a GPU; these, by their place in memory."""
    arrived: dict[int, torch.Tensor] = {}

    def to_host(flag: torch.Tensor) -> tuple[torch.Tensor, Arrival]:
        host = flag.clone()
        arrived[host.data_ptr()] = host
        return host, Arrival()

    monkeypatch.setattr(finite, 'to_host', to_host)
    return arrived


@pytest.mark.parametrize('place', ['data', 'head.0.running_var'])
def test_late_flag(tmp_path: Path, late: dict[int, torch.Tensor], place: str) -> None:
    """A loss stops training at once, a weight or statistic one step later, with the number of the right step."""
    first = 2 if place == 'data' else 3  # the hook of the test breaks what is in the model behind the check
    assert train(tmp_path, **poison(step=2, place=place)) == (2 if place == 'data' else 4)
    assert f'at iteration {first} (epoch 1), so training stops before' in (tmp_path / 'sentence').read_text()
    assert not list(tmp_path.glob('*.pth'))


def test_late_flag_at_the_end_of_an_epoch(tmp_path: Path, late: dict[int, torch.Tensor]) -> None:
    """It is looked at before validation and saving."""
    place = 'head.0.running_var'
    assert train(tmp_path, **poison(step=2 * STEPS - 1, place=place)) == 2 * STEPS
    sentence = (tmp_path / 'sentence').read_text()
    assert f'({place}) at iteration {2 * STEPS} (epoch 2), so training stops; ' in sentence
    assert f'the last good checkpoint is {tmp_path / "epoch_1.pth"}:' in sentence
    assert len(list(tmp_path.glob('best_*.pth'))) == 1 and all_files_are_finite(tmp_path)


READING = ('item', 'tolist', 'cpu', 'numpy', 'nonzero', '__bool__', '__float__', '__int__', '__index__')
"""What takes numbers out of a tensor, for which a GPU has to be waited for."""


class ReadingHook(Hook):
    """Counts where the project reads tensors in training steps, but for those at some places of memory."""

    priority = 'LOWEST'

    def __init__(self, spared: Container[int]) -> None:
        self.spared, self.places, self.patches = spared, Counter(), pytest.MonkeyPatch()

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        for name in READING:
            self.patches.setattr(torch.Tensor, name, self._watched(getattr(torch.Tensor, name)))

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        self.patches.undo()

    def _watched(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def read(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
            code = sys._getframe(1).f_code
            if tensor.data_ptr() not in self.spared:
                self.places[f'{Path(code.co_filename).name}:{code.co_name}'] += 1
            return original(tensor, *args, **kwargs)

        return read


def test_no_step_waits_for_the_device(tmp_path: Path, late: dict[int, torch.Tensor]) -> None:
    """A training step reads a number where MMEngine does, and nowhere else."""
    cfg = small_config(tmp_path)
    cfg.train_dataloader.batch_size, cfg.train_cfg.max_epochs = 8, 1
    runner, reading = Runner.from_cfg(cfg), ReadingHook(late)
    runner.register_hook(reading)
    runner.train()
    assert runner.iter == len(late) == 4
    on_the_host = {
        'cls_head.py:_labels',  # as the loader gives them
        'compiling.py:all_inside',  # on a CPU only
        'optimizer.py:_get_value',  # torch's number of the step
    }
    assert reading.places.keys() - on_the_host == {
        'message_hub.py:_get_valid_value',  # the losses, for the log
        'optimizer_wrapper.py:_clip_grad',  # the norm, for the log
    }, reading.places


@OPTIM_WRAPPERS.register_module()
class ScaledOptimWrapper(OptimWrapper):
    """Loss scaling as in mixed precision, on the CPU."""

    def __init__(self, break_steps: int, is_fixed: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.loss_scaler = torch.amp.GradScaler('cpu', init_scale=8.0)
        self._scale_update_param = 8.0 if is_fixed else None
        self.break_steps = break_steps

    def backward(self, loss: torch.Tensor, **kwargs: Any) -> None:
        self.loss_scaler.scale(loss).backward(**kwargs)
        self._inner_count += 1
        if self._inner_count <= self.break_steps:
            self.optimizer.param_groups[0]['params'][0].grad.fill_(math.inf)

    def step(self, **kwargs: Any) -> None:
        self.loss_scaler.step(self.optimizer)
        self.loss_scaler.update(self._scale_update_param)


def test_skipped_steps_of_mixed_precision(tmp_path: Path) -> None:
    """A few are normal; where all are skipped nothing is learned, which is said."""
    wrapper = dict(type='ScaledOptimWrapper', clip_grad=None)
    cfg = make_config(tmp_path / 'some', epochs=1, optim_wrapper=dict(**wrapper, break_steps=3))
    Runner.from_cfg(cfg).train()
    assert (tmp_path / 'some' / 'epoch_1.pth').exists()
    steps = train(tmp_path / 'all', epochs=20, optim_wrapper=dict(**wrapper, break_steps=1000))
    assert 24 < steps < 32
    assert 'not finite at any loss scale' in (tmp_path / 'all' / 'sentence').read_text()


@pytest.mark.parametrize('fused', [False, True])
def test_fixed_scale_that_never_fits(tmp_path: Path, fused: bool) -> None:
    """It is named after a number of steps in a row, by fused optimizers at the end of the epoch, or of a short run."""
    wrapper = dict(type='ScaledOptimWrapper', clip_grad=None, is_fixed=True)
    wrapper['optimizer'] = dict(type='AdamW', lr=0.001, fused=fused)
    cfg = make_config(tmp_path / 'some', epochs=2, optim_wrapper=dict(**wrapper, break_steps=6))
    Runner.from_cfg(cfg).train()
    assert (tmp_path / 'some' / 'epoch_2.pth').exists()
    steps = train(tmp_path / 'all', epochs=20, optim_wrapper=dict(**wrapper, break_steps=1000))
    assert steps == (28 if fused else 25)
    sentence = (tmp_path / 'all' / 'sentence').read_text()
    assert sentence.startswith(
        'mixed precision skipped the last 25 steps, because the gradients are not finite'
    )
    assert f'fixed loss scale of 8 at iteration {steps} (epoch 7), so training stops; ' in sentence
    assert 'loss_scale to a lower number' in sentence
    assert train(tmp_path / 'short', epochs=2, optim_wrapper=dict(**wrapper, break_steps=1000)) == 8
    assert 'skipped all 8 steps of this training' in (tmp_path / 'short' / 'sentence').read_text()


def test_tool_ends_in_one_sentence(tmp_path: Path) -> None:
    config = write_config(tmp_path / 'c.py', epochs=2, **poison(step=3))
    code, output = run_python('tools/train.py', config)
    assert code == 1
    assert 'Traceback' not in output
    assert output.strip().splitlines()[-1].startswith('error: loss is nan at iteration 3 (epoch 1)')


def test_all_processes_stop_together(tmp_path: Path) -> None:
    """Also if the other one would not notice before its gradients are averaged, two steps later."""
    changes = {'optim_wrapper.accumulative_counts': 4, **poison(step=6, rank=1)}
    config = write_config(tmp_path / 'c.py', epochs=6, **changes)
    code, output = run('bash', 'tools/dist_train.sh', config, 2)
    assert code == 1
    assert '(process 1): loss is nan at iteration 6 (epoch 3)' in output
    assert '(process 0): another process has a number that is not finite at iteration 6' in output
    assert 'epoch_2.pth' in (tmp_path / 'work' / 'last_checkpoint').read_text()
