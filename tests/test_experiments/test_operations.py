"""Counted operations: those that compute, and those that make the host wait."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from point_peft.engine.config import OptionText
from point_peft.experiments.contestant import Conditions, Contestant
from point_peft.experiments.operations import OperationCounter, count_operations
from point_peft.io.errors import ConfigError

VALUES = torch.arange(6.0)
MASK = VALUES > 2


def counted(action: Callable[[], object]) -> tuple[dict[str, int], int]:
    """Operations that compute, by name, and the number of those that wait."""
    with OperationCounter() as counter:
        action()
    return {name: count for name, count in counter.computing.items() if count}, counter.waits.total()


def test_views_and_empty_memory_compute_nothing() -> None:
    """What changes a tensor in place does."""
    found, _ = counted(lambda: torch.empty(6).view(2, 3).t()[0].detach().fill_(1).add(VALUES[:2]))
    assert found == {'fill_': 1, 'add': 1}


def test_backward_counts() -> None:
    """Two products forward; backward the gradient of both factors, but of the input none is asked for."""
    weight, other = (torch.randn(3, 3, requires_grad=True) for _ in range(2))
    plain, _ = counted(lambda: torch.ones(2, 3) @ weight @ other)
    both, _ = counted(lambda: (torch.ones(2, 3) @ weight @ other).sum().backward())
    assert (plain['mm'], both['mm']) == (2, 5)


@pytest.mark.parametrize(
    'action, waits',
    [
        (lambda: VALUES.sum().item(), 1),
        (lambda: bool(VALUES.isfinite().all()), 1),
        (lambda: VALUES[MASK], 1),
        (lambda: VALUES.masked_select(MASK), 1),
        (lambda: MASK.nonzero(), 1),
        (lambda: VALUES.unique(), 1),
        (lambda: VALUES.long().bincount(), 1),
        (lambda: torch.equal(VALUES, VALUES), 1),
        (lambda: VALUES.clone().__setitem__(MASK, VALUES[:3]), 1),
        (lambda: VALUES.repeat_interleave(MASK.long()), 1),
        (lambda: VALUES.repeat_interleave(MASK.long(), output_size=3), 0),
        (lambda: VALUES.clone().__setitem__(MASK, 0.0), 0),
        (lambda: VALUES[VALUES.long()], 0),
        (lambda: torch.where(MASK, VALUES, 0), 0),
        (lambda: VALUES.double(), 0),
    ],
)
def test_waits(action: Callable[[], object], waits: int) -> None:
    """Results on the host, and shapes that depend on values."""
    assert counted(action)[1] == waits


def test_copies_between_devices() -> None:
    """A blocking copy waits; what stays on another device than the counted one does not count."""
    far = torch.empty(3, device='meta')
    with OperationCounter('meta') as counter:
        far.copy_(VALUES[:3])
        far.copy_(VALUES[:3], non_blocking=True)
        VALUES.to('meta')
        VALUES.to('meta', non_blocking=True)
        VALUES.sum().item()
    assert counter.waits.total() == 2 and counter.computing['sum'] == 0


def test_tensors_on_the_host() -> None:
    """Neither counts: the step of an optimizer is on the host for any device."""
    step = torch.tensor(1.0)

    def action() -> None:
        step.add_(1).item()
        VALUES.add(1)

    assert count_operations(action, 'cpu', [step]) == (1, 0)


@pytest.mark.parametrize('method', ['full', 'linear_probe', 'point_peft', 'lora', 'stag'])
def test_steps_wait_for_the_norm_of_gradients_alone(method: str) -> None:
    """Which MMEngine logs; an inference waits for nothing."""
    sizes = Conditions(batch_size=2, num_points=512, bank_size=16)
    contestant = Contestant(f'{method}/pointmae_mini_shapes', sizes)
    contestant.train_step()
    on_host: list[Tensor] = contestant.counts_of_the_optimizer()
    assert len(on_host) == sum(parameter.requires_grad for parameter in contestant.model.parameters())
    step, waits = count_operations(contestant.train_step, 'cpu', on_host)
    inference, none = count_operations(contestant.infer, 'cpu', on_host)
    assert (waits, none) == (1, 0)
    assert step > inference > 50


def test_steps_of_kept_views() -> None:
    """After the first step clouds are neither augmented nor embedded."""
    sizes = Conditions(batch_size=2, num_points=512, bank_size=16)
    contestants = [
        Contestant(f'point_peft/{name}', sizes)
        for name in ('pointmae_mini_modelnet10', 'fast/pointmae_mini_modelnet10')
    ]
    every, kept = (_names(contestant) for contestant in contestants)
    assert every['argmax'] >= 63 or every['farthest_points'] == 1  # one by one, or in C
    assert not {'argmax', 'farthest_points', 'rand'} & set(kept)
    assert sum(kept.values()) < 0.9 * sum(every.values())
    on_host = contestants[1].counts_of_the_optimizer()
    assert count_operations(contestants[1].train_step, 'cpu', on_host)[1] == 1  # the norm of the gradients


def test_views_of_a_trained_embedding_are_refused() -> None:
    """As in a training, which would not keep them either."""
    views = {'default_hooks.views.type': OptionText('TrainingViewsHook')}
    with pytest.raises(ConfigError, match='what embeds the clouds is trained'):
        Contestant('full/pointmae_mini_shapes', Conditions(batch_size=2, num_points=512), views)


def _names(contestant: Contestant) -> Counter[str]:
    """Operations of the second training step by name."""
    contestant.train_step()
    with OperationCounter() as counter:
        contestant.train_step()
    return +counter.computing
