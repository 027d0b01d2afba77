"""Hook that fits methods on the training set before training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.dist import barrier, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...io.errors import FittedStateMismatchError
from ...io.spared import spared
from ...io.weights import OWN_KEY
from ...methods import FittedMethod, fitted_methods
from ...registry import HOOKS
from ...registry.wrappers import unwrap
from ..checkpoint import check_other_states
from ..fitting import (
    check_places,
    check_ready,
    expected_provenance,
    find_fitted,
    fit_method,
    fitting_set,
    load_fitted,
    save_fitted,
)
from ..fitting.find import check_single, file_name
from ..fitting.provenance import check_provenance, read_provenance


@HOOKS.register_module()
class FitHook(Hook):
    """Load what methods fit on the training set, or fit and keep it, before training; find it again for evaluation.

    Does nothing for models without such methods, or whose checkpoint brought their states along.

    Args:
        file (str | None): The state's file; by default one in the work directory, named after the state.
        allow_other (bool): Only warn when an adapter was trained with another state than the one that was found.
    """

    def __init__(self, file: str | None = None, allow_other: bool = False) -> None:
        self.file = file
        self.allow_other = allow_other
        self._meta: Mapping[str, Any] = {}
        self._unsaved: list[FittedMethod] = []

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Remember what the checkpoint says about the states that it was trained with."""
        self._meta = checkpoint.get('meta') or {}

    def before_train(self, runner: Runner) -> None:
        """Load a state if its file fits, else fit the method on the training set.

        Raises:
            FittedStateMismatchError: If the file exists but was fitted on something else, or if a resumed training had
                another.
            ConfigError: If a method cannot be trained with its state, or several would share a file.
        """
        model = unwrap(runner.model)
        check_single(model, self.file)
        for method in fitted_methods(model).values():
            if not self._came_along(runner, method):
                self._find_or_fit(runner, method)
            if method.reads_sample_index:
                check_places(runner.train_dataloader.dataset)
        check_ready(model)
        if runner._resume:  # a new training has the states of its own data, whatever it starts from
            check_other_states(model, self._meta, str(runner._load_from), allow=self.allow_other)
        self._meta = {}  # from now on the states are those of the training

    def _came_along(self, runner: Runner, method: FittedMethod) -> bool:
        """Whether the state is there already, from a complete checkpoint or because somebody set it.

        That of a checkpoint may be of other clouds than the training set. A new training fits its own then.
        """
        if not method.is_fitted:
            return False
        given = (self._meta.get(OWN_KEY) or {}).get(method.fitted_key)
        if given is None:
            return True
        dataset = fitting_set(method, runner.train_dataloader.dataset)
        wanted = expected_provenance(unwrap(runner.model), method, dataset)
        what = f'{method.fitted_name} in {runner._load_from}'
        try:
            found = read_provenance(given, method, what)
            check_provenance(found, wanted, what, method.usual_settings)
        except FittedStateMismatchError as error:
            if runner._resume:
                raise FittedStateMismatchError(
                    f'{runner._load_from} brings the {method.fitted_name} of another training set ({error}); resume '
                    'with the data of that training.'
                ) from error
            runner.logger.warning(
                f'a new {method.fitted_name} is needed, since the one that came along is another: {error}'
            )
            return False
        method.fitted_on = found
        return True

    def _find_or_fit(self, runner: Runner, method: FittedMethod) -> None:
        """Read the state's file, or fit the method and write it."""
        model = unwrap(runner.model)
        path = self._path(runner, method)
        dataset = fitting_set(method, runner.train_dataloader.dataset)
        name = f'{method.fitted_name} of {len(dataset)} clouds'
        if path.is_file():
            load_fitted(path, method, expected_provenance(model, method, dataset))
            runner.logger.info(f'{name} read from {path}')
            return
        barrier()  # nobody may write the file before all have seen that it is missing
        fit_method(model, method, dataset)
        self._unsaved.append(method)
        self._save(runner)
        runner.logger.info(f'{name} built and kept in {path}')

    def after_train_epoch(self, runner: Runner) -> None:
        """Try again to write a state for which there was no room."""
        self._save(runner)

    def before_val(self, runner: Runner) -> None:
        """Find the states for a validation without training."""
        self._attach(runner)

    def before_test(self, runner: Runner) -> None:
        """Find the states for a test without training."""
        self._attach(runner)

    def _save(self, runner: Runner) -> None:
        """Write the states that are not written yet; training goes on without their files."""
        for method in list(self._unsaved) if is_main_process() else ():
            path = self._path(runner, method)
            with spared(f'the {method.fitted_name} {path}'):
                save_fitted(path, method)
                self._unsaved.remove(method)

    def _attach(self, runner: Runner) -> None:
        folders = [Path(runner.work_dir)]
        if runner._load_from:
            folders.append(Path(runner._load_from).parent)
        find_fitted(
            unwrap(runner.model),
            folders,
            self._meta,
            str(runner._load_from or 'the checkpoint'),
            named=self.file,
            allow_other=self.allow_other,
        )

    def _path(self, runner: Runner, method: FittedMethod) -> Path:
        return Path(self.file or Path(runner.work_dir) / file_name(method))
