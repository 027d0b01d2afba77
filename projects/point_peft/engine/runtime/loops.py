"""Test loop with voting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.evaluator import Evaluator
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner, TestLoop

from ...io.errors import ConfigError
from ...models.voting import VotingModel
from ...registry import LOOPS


@LOOPS.register_module()
class VotingTestLoop(TestLoop):
    """Test with a :class:`~point_peft.models.VotingModel`, and say so in the name of every result.

    ``test_cfg=dict(type='VotingTestLoop')``, or ``tools/test.py --votes 10``. For tests alone: what a training run
    reports about the test set is without voting.

    Args:
        runner (Runner): The runner.
        dataloader (DataLoader | dict): The data.
        evaluator (Evaluator | dict | list): The metrics.
        fp16 (bool): Whether to test in mixed precision.
        num_votes, scale, translate, isotropic, seed: As those of the model.

    Raises:
        ConfigError: If the runner trains.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: Any,
        evaluator: Any,
        fp16: bool = False,
        *,
        num_votes: int = 10,
        scale: Sequence[float] = (0.8, 1.25),
        translate: float = 0.0,
        isotropic: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__(runner, dataloader, evaluator, fp16)
        if runner.train_loop is not None:
            raise ConfigError(
                'VotingTestLoop is for tools/test.py, not for training; use --votes there, and leave test_cfg as it is.'
            )
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        self.voting = VotingModel(
            model, num_votes, scale=scale, translate=translate, isotropic=isotropic, seed=seed
        )
        plain: Evaluator = self.evaluator  # type: ignore[has-type]
        self.evaluator = LabelledEvaluator(plain, '1 vote' if num_votes == 1 else f'{num_votes} votes')

    def run_iter(self, idx: int, data_batch: Any) -> None:
        """Test a batch with the voting model in place of the plain one, which all hooks of the run keep."""
        plain, self.runner.model = self.runner.model, self.voting
        try:
            super().run_iter(idx, data_batch)
        finally:
            self.runner.model = plain


class LabelledEvaluator(Evaluator):
    """An evaluator that puts a label behind the name of every result.

    Args:
        evaluator (Evaluator): The evaluator whose metrics are taken over.
        label (str): The label.
    """

    def __init__(self, evaluator: Evaluator, label: str) -> None:
        super().__init__(evaluator.metrics)
        self.dataset_meta = evaluator.dataset_meta
        self.label = label

    def evaluate(self, size: int) -> dict:
        """Results over ``size`` samples, by labelled name."""
        return {f'{name} ({self.label})': value for name, value in super().evaluate(size).items()}
