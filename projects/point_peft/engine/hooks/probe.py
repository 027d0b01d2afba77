"""Hook that probes a backbone while it is pre-trained."""

from __future__ import annotations

from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from ...evaluation.features import pooled_features
from ...evaluation.probing import effective_rank, probe
from ...io.errors import ConfigError
from ...registry import DATASETS, HOOKS
from ...registry.wrappers import unwrap
from ..runtime.randomness import preserved_rng

ENCODERS = ('MAE_encoder', 'backbone')
"""Where task models keep what is probed."""


@HOOKS.register_module()
class ProbeHook(Hook):
    """Measures the encoder's features on labelled data every few epochs, so that a collapse is seen at once.

    Logged are the linear probe on all and on ``shots`` labels per class, the vote of the nearest neighbours, the
    retrieval, and the effective rank of the features; before the first epoch those of the random weights. The random
    numbers of the training are left as they are.

    Args:
        train (dict): Config of the dataset whose labels are used.
        test (dict): Config of the dataset whose labels are told. For choosing among recipes it must not be the test
            set that is reported in the end.
        interval (int): Epochs between two probes.
        shots (int): Labels per class of the few-shot probe.
        draws (int): Choices of those labels.
    """

    priority = 'LOW'

    def __init__(
        self,
        train: dict[str, Any],
        test: dict[str, Any],
        *,
        interval: int = 1,
        shots: int = 10,
        draws: int = 3,
    ) -> None:
        if interval < 1:
            raise ConfigError(
                f'ProbeHook interval={interval} probes never; give at least 1, or drop the hook.'
            )
        self.configs = (train, test)
        self.interval = interval
        self.shots = shots
        self.draws = draws

    def before_train(self, runner: Runner) -> None:
        """Build the data, and probe where the run starts."""
        if is_main_process():
            with preserved_rng():
                self.datasets = [DATASETS.build(config) for config in self.configs]
            self._probe(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Probe, if it is time."""
        if is_main_process() and (
            self.every_n_epochs(runner, self.interval) or self.is_last_train_epoch(runner)
        ):
            self._probe(runner, epochs=runner.epoch + 1)

    def _probe(self, runner: Runner, *, epochs: int | None = None) -> None:
        """Measure and log."""
        done = runner.epoch if epochs is None else epochs
        with preserved_rng():
            encoder = find_encoder(unwrap(runner.model))
            train, test = (
                pooled_features(encoder, dataset, description='probing') for dataset in self.datasets
            )
            result = probe(train, test, shots=(self.shots,), draws=self.draws).as_dict()
        scalars = {f'probe/{name}': value for name, value in result.items()}
        scalars['probe/effective_rank'] = effective_rank(test.values)
        runner.logger.info(
            f'probe after {done} epochs: '
            + '  '.join(f'{name}: {value:.1f}' for name, value in scalars.items())
        )
        runner.visualizer.add_scalars(scalars, step=done)


def find_encoder(model: nn.Module) -> nn.Module:
    """The backbone in a model of pre-training or of a task.

    Raises:
        ConfigError: There is none under a known name.
    """
    for name in ENCODERS:
        if isinstance(getattr(model, name, None), nn.Module):
            return getattr(model, name)
    raise ConfigError(
        f'ProbeHook finds no encoder in {type(model).__name__}: it has no {" or ".join(ENCODERS)}; drop the hook.'
    )
