"""Hook that gives a Point-prior Prompt its memory bank."""

from __future__ import annotations

from pathlib import Path

from mmengine.dist import barrier, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...files import spared
from ...registry import HOOKS
from ..checkpoint import META_KEY, unwrap
from ..memory_bank import (
    BankProvenance,
    attach_bank,
    bank_dataset,
    build_bank,
    expected_provenance,
    find_prompt,
    load_bank,
    save_bank,
)

FILE_NAME = 'memory_bank.safetensors'
"""Name of the bank's file in the work directory."""


@HOOKS.register_module()
class MemoryBankHook(Hook):
    """Load the memory bank, or build and keep it, before training; find it again for evaluation.

    Does nothing for models without one, or whose checkpoint brought the bank along.

    Args:
        file (str | None): The bank's file; by default ``memory_bank.safetensors`` in the work directory.
    """

    def __init__(self, file: str | None = None) -> None:
        self.file = file
        self._wanted_hash: str | None = None
        self._unsaved: BankProvenance | None = None

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Remember which bank the adapter was trained with."""
        self._wanted_hash = ((checkpoint.get('meta') or {}).get(META_KEY) or {}).get('bank_hash')

    def before_train(self, runner: Runner) -> None:
        """Load the bank if its file fits, else build it from the training set.

        Raises:
            MemoryBankMismatchError: If the file exists but was made from something else.
        """
        model = unwrap(runner.model)
        found = find_prompt(model)
        if found is None or len(found[1].bank):
            return
        path = self._path(runner)
        dataset = bank_dataset(model, runner.train_dataloader.dataset)
        if path.is_file():
            load_bank(path, found[1].bank, expected_provenance(model, dataset))
            runner.logger.info(f'memory bank of {len(found[1].bank)} clouds read from {path}')
            return
        barrier()  # nobody may write the file before all have seen that it is missing
        provenance = build_bank(model, dataset)
        self._unsaved = provenance
        self._save(runner)
        runner.logger.info(
            f'memory bank of {len(found[1].bank)} clouds built and kept in {path}: {provenance}'
        )

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
        if runner._load_from:
            candidates.append(Path(runner._load_from).parent / FILE_NAME)
        attach_bank(unwrap(runner.model), candidates, wanted_hash=self._wanted_hash)

    def _path(self, runner: Runner) -> Path:
        return Path(self.file or Path(runner.work_dir) / FILE_NAME)
