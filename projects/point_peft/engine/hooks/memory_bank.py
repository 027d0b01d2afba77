"""Hook that gives a Point-prior Prompt its memory bank."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.dist import barrier, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...io.spared import spared
from ...methods import MemoryBank
from ...registry import HOOKS
from ...registry.wrappers import unwrap
from ..checkpoint import META_KEY, check_other_bank
from ..memory_bank import (
    BankProvenance,
    MemoryBankMismatchError,
    attach_bank,
    bank_dataset,
    build_bank,
    check_bank,
    expected_provenance,
    find_prompt,
    load_bank,
    save_bank,
)
from ..memory_bank.provenance import check_provenance

FILE_NAME = 'memory_bank.safetensors'
"""Name of the bank's file in the work directory."""


@HOOKS.register_module()
class MemoryBankHook(Hook):
    """Load the memory bank, or build and keep it, before training; find it again for evaluation.

    Does nothing for models without one, or whose checkpoint brought the bank along.

    Args:
        file (str | None): The bank's file; by default ``memory_bank.safetensors`` in the work directory.
        allow_other_bank (bool): Only warn when an adapter was trained with another bank than the one that was found.
    """

    def __init__(self, file: str | None = None, allow_other_bank: bool = False) -> None:
        self.file = file
        self.allow_other_bank = allow_other_bank
        self._meta: Mapping[str, Any] = {}
        self._unsaved: BankProvenance | None = None

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Remember what the checkpoint says about the bank that it was trained with."""
        self._meta = checkpoint.get('meta') or {}

    def before_train(self, runner: Runner) -> None:
        """Load the bank if its file fits, else build it from the training set.

        Raises:
            MemoryBankMismatchError: If the file exists but was made from something else, or if a resumed training had
                another.
            ConfigError: If the bank has too few rows to train with.
        """
        model = unwrap(runner.model)
        found = find_prompt(model)
        if found is None:
            return
        if not self._came_along(runner, found[1].bank):
            self._find_or_build(runner, found[1].bank)
        check_bank(model)
        if runner._resume:  # a new training has the bank of its own data, whatever it starts from
            check_other_bank(model, self._meta, str(runner._load_from), allow=self.allow_other_bank)
        self._meta = {}  # from now on the bank is that of the training

    def _came_along(self, runner: Runner, bank: MemoryBank) -> bool:
        """Whether the bank is there already, from a complete checkpoint or because somebody filled it.

        That of a checkpoint may be of other clouds than the training set. A new training builds its own then.
        """
        if not len(bank):
            return False
        given = (self._meta.get(META_KEY) or {}).get('bank')
        if given is None:
            return True
        model = unwrap(runner.model)
        wanted = expected_provenance(model, bank_dataset(model, runner.train_dataloader.dataset))
        source = f'in {runner._load_from}'
        try:
            check_provenance(BankProvenance.read(given, source), wanted, given, source)
        except MemoryBankMismatchError as error:
            if runner._resume:
                raise MemoryBankMismatchError(
                    f'{runner._load_from} brings the memory bank of another training set ({error}); resume with the '
                    'data of that training.'
                ) from error
            runner.logger.warning(
                f'a new memory bank is needed, since the one that came along is another: {error}'
            )
            bank.keys = bank.keys[:0]
            return False
        return True

    def _find_or_build(self, runner: Runner, bank: MemoryBank) -> None:
        """Read the bank's file, or build the bank and write it."""
        model = unwrap(runner.model)
        path = self._path(runner)
        dataset = bank_dataset(model, runner.train_dataloader.dataset)
        if path.is_file():
            load_bank(path, bank, expected_provenance(model, dataset))
            runner.logger.info(f'memory bank of {len(bank)} clouds read from {path}')
            return
        barrier()  # nobody may write the file before all have seen that it is missing
        provenance = build_bank(model, dataset)
        self._unsaved = provenance
        self._save(runner)
        runner.logger.info(f'memory bank of {len(bank)} clouds built and kept in {path}: {provenance}')

    def after_train_epoch(self, runner: Runner) -> None:
        """Try again to write a bank for which there was no room."""
        self._save(runner)

    def before_val(self, runner: Runner) -> None:
        """Find the bank for a validation without training."""
        self._attach(runner)

    def before_test(self, runner: Runner) -> None:
        """Find the bank for a test without training."""
        self._attach(runner)

    def _save(self, runner: Runner) -> None:
        """Write a bank that is not written yet; training goes on without its file."""
        found = find_prompt(unwrap(runner.model))
        if self._unsaved is not None and found is not None and is_main_process():
            with spared(f'the memory bank {self._path(runner)}'):
                save_bank(self._path(runner), found[1].bank, self._unsaved)
                self._unsaved = None

    def _attach(self, runner: Runner) -> None:
        candidates = [self._path(runner)]
        if runner._load_from and not (self.file and candidates[0].is_file()):
            candidates.append(Path(runner._load_from).parent / FILE_NAME)
        attach_bank(
            unwrap(runner.model),
            candidates,
            self._meta,
            str(runner._load_from or 'the checkpoint'),
            allow_other=self.allow_other_bank,
        )

    def _path(self, runner: Runner) -> Path:
        return Path(self.file or Path(runner.work_dir) / FILE_NAME)
