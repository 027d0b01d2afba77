"""Checkpoint hook that never has fewer usable files than before."""

from __future__ import annotations

import os.path as osp
from collections import deque
from collections.abc import Mapping
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from ...io.errors import CheckpointSaveError, ConfigError
from ...io.partial import remove_partial_files
from ...registry import HOOKS
from .own_files import (
    BEST,
    STEPS,
    forget_foreign_best,
    is_score,
    note_last,
    open_directory,
    own_steps,
    refuse_directories,
    remove_outdated,
)

ATOMIC = dict(backend='atomic_local')


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """MMEngine's CheckpointHook with its order of steps put right, at the public points where a hook acts.

    MMEngine deletes the old file, writes the new one in place and then notes its name. Here the new file is
    written beside the old one and takes its name in one step, then ``last_checkpoint`` is written likewise,
    and only then are older files deleted. If a file cannot be written (disk full, read-only), one warning is
    logged and training goes on with the previous checkpoint in place; only a failure at the very end of
    training is an error. Of the files that a resumed checkpoint names, those in the run's own directory count.

    Args:
        backend_args (dict | None): Storage to write to; the atomic local one by default.
        **kwargs: All options of :class:`mmengine.hooks.CheckpointHook` (``interval``, ``max_keep_ckpts``,
            ``save_best``, ``rule`` ...).
    """

    out_dir: str
    last_ckpt: str | None

    def __init__(self, *args: Any, backend_args: dict[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, backend_args=dict(ATOMIC) if backend_args is None else backend_args, **kwargs)
        self._in_training = False
        self._resumed: str | None = None

    @property
    def last_good(self) -> str | None:
        """The newest checkpoint that can be gone on from: the last one written, or the one resumed from."""
        return self.last_ckpt or self._resumed

    def before_train(self, runner: Runner) -> None:
        """Prepare the directory, and clear away what a killed run left unfinished there.

        Raises:
            ConfigError: A directory has the name of a checkpoint.
        """
        hub = runner.message_hub
        steps = own_steps(hub)
        kept = steps[-self.max_keep_ckpts :] if self.max_keep_ckpts > 0 else []
        hub.update_info(STEPS, kept)
        self.out_dir, self.file_backend = open_directory(self.out_dir, runner.work_dir, self.backend_args)
        runner.logger.info(f'Checkpoints will be saved to {self.out_dir}.')
        if self.max_keep_ckpts > 0:
            self.keep_ckpt_ids = deque(kept, self.max_keep_ckpts)
        self._in_training = True
        self._resumed = runner._load_from if runner._resume else None
        self._take_up_best(runner)
        refuse_directories(self.out_dir, self.filename_tmpl)
        if is_main_process():
            for step in steps[: len(steps) - len(kept)] if self.max_keep_ckpts > 0 else []:
                remove_outdated(runner, self.file_backend, self._path(step))
            for directory in {self.out_dir, runner.work_dir}:
                for name in remove_partial_files(directory):
                    runner.logger.info(
                        f'removed {name}, which an interrupted run left unfinished in {directory}'
                    )

    def after_train_epoch(self, runner: Runner) -> None:
        """Write the checkpoint of an epoch whose turn it is."""
        is_due = self.every_n_epochs(runner, self.interval, self.save_begin)
        if self.by_epoch and (is_due or (self.save_last and self.is_last_train_epoch(runner))):
            runner.logger.info(f'Saving checkpoint at {runner.epoch + 1} epochs')
            self._write_step(runner, dict(epoch=runner.epoch + 1, iter=runner.iter))

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Write the checkpoint of an iteration whose turn it is."""
        is_due = self.every_n_train_iters(runner, self.interval, self.save_begin)
        if not self.by_epoch and (is_due or (self.save_last and self.is_last_train_iter(runner))):
            runner.logger.info(f'Saving checkpoint at {runner.iter + 1} iterations')
            self._write_step(runner, dict(epoch=runner.epoch, iter=runner.iter + 1))

    def after_val_epoch(self, runner: Runner, metrics: Mapping[str, Any] | None = None) -> None:
        """Write the checkpoint of every metric that improved, then delete its predecessor."""
        if not metrics:
            super().after_val_epoch(runner, {})  # which warns of it
            return
        if not self.save_best or not self._in_training:
            return
        if 'auto' in self.key_indicators:
            # Nothing public says whether more or less of a metric is better.
            self._init_rule(self.rules, [next(iter(metrics))])
        improved = [
            self._write_if_best(runner, name, rule, metrics)
            for name, rule in zip(self.key_indicators, self.rules, strict=True)
        ]
        if any(improved) and self.last_ckpt is not None:
            # Once more, so that the file that is resumed from knows the best score.
            self._write_step(runner, dict(epoch=runner.epoch, iter=runner.iter))

    def _write_step(self, runner: Runner, meta: dict[str, Any]) -> None:
        """Write the checkpoint of a step, then note its name, then delete what is too old.

        Args:
            runner (Runner): The runner.
            meta (dict): ``epoch`` and ``iter`` that are done.
        """
        step = meta['epoch' if self.by_epoch else 'iter']
        path = self._path(step)
        kept = [other for other in getattr(self, 'keep_ckpt_ids', ()) if other != step] + [step]
        outdated = kept[: -self.max_keep_ckpts] if self.max_keep_ckpts > 0 else []
        info: dict[str, Any] = {'last_ckpt': path}
        if self.max_keep_ckpts > 0:
            info['keep_ckpt_ids'] = kept[len(outdated) :]
        options = dict(
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            by_epoch=self.by_epoch,
            **self.args,
        )
        if not self._save(
            runner,
            osp.basename(path),
            info,
            meta=meta,
            is_final=self._is_final(runner, step) and self.last_ckpt != path,
            **options,
        ):
            return
        self.last_ckpt = path
        if self.max_keep_ckpts > 0:
            self.keep_ckpt_ids.clear()
            self.keep_ckpt_ids.extend(info['keep_ckpt_ids'])
        if is_main_process():
            noted = note_last(runner, path)
            for other in outdated:
                remove_outdated(runner, self.file_backend, self._path(other))
            if not noted and outdated:  # which may have made room
                note_last(runner, path)

    def _write_if_best(self, runner: Runner, name: str, rule: str, metrics: Mapping[str, Any]) -> bool:
        """Write the best checkpoint of one metric, if it improved; says whether it was written."""
        if name not in metrics:
            raise ConfigError(
                f"save_best='{name}' is not among the metrics of the validation {sorted(metrics)}; set "
                'default_hooks.checkpoint.save_best to one of them.'
            )
        suffix = f'_{name}' if len(self.key_indicators) > 1 else ''
        hub, score = runner.message_hub, metrics[name]
        best = hub.get_info(f'best_score{suffix}', self.init_value_map[rule])
        if score is not None and not is_score(score):
            runner.logger.warning(f'{name} is {score} after epoch {runner.epoch}, which is never the best')
            return False
        if score is None or not self.is_better_than[name](score, best):
            return False
        step = runner.epoch if self.by_epoch else runner.iter
        file_name = f'best_{name}_{self.filename_tmpl.format(step)}'.replace('/', '_')
        path, previous = (
            self.file_backend.join_path(self.out_dir, file_name),
            hub.get_info(f'best_ckpt{suffix}'),
        )
        info = {f'best_score{suffix}': score, f'best_ckpt{suffix}': path}
        if not self._save(
            runner,
            file_name,
            info,
            meta=dict(epoch=runner.epoch, iter=runner.iter),
            is_final=self._is_final(runner, step),
            save_optimizer=False,
            save_param_scheduler=False,
            by_epoch=False,
        ):
            return False
        self._note_best_path(name, path)
        if previous and previous != path and is_main_process():
            remove_outdated(runner, self.file_backend, previous)
        runner.logger.info(
            f'The best checkpoint with {score:0.4f} {name} at step {step} is saved to {file_name}.'
        )
        return True

    def _save(
        self, runner: Runner, file_name: str, info: Mapping[str, Any], *, is_final: bool, **options: Any
    ) -> bool:
        """Write a checkpoint that carries ``info``; failing that, take it back, warn and return False.

        Raises:
            CheckpointSaveError: It cannot be written and there will be no later one.
        """
        hub = runner.message_hub
        before = {key: hub.get_info(key) for key in info}
        hub.update_info_dict(dict(info))
        try:
            runner.save_checkpoint(self.out_dir, file_name, backend_args=self.backend_args, **options)
        except OSError as error:
            for key, value in before.items():
                hub.pop_info(key)
                if value is not None:
                    hub.update_info(key, value)
            problem = f'checkpoint {file_name} could not be written to {self.out_dir} ({error})'
            if is_final:
                raise CheckpointSaveError(
                    f'{problem}, and training is over; make room and run again with --resume auto, '
                    f'which starts from {self.last_good or "the beginning"}.'
                ) from error
            runner.logger.warning(
                f'{problem}; training goes on, the last usable checkpoint is {self.last_good or "none"}'
            )
            return False
        return True

    def _note_best_path(self, name: str, path: str) -> None:
        """Remember the best file where MMEngine's hook looks for it."""
        if len(self.key_indicators) == 1:
            self.best_ckpt_path = path
        else:
            self.best_ckpt_path_dict[name] = path

    def _is_final(self, runner: Runner, step: int) -> bool:
        """Whether no checkpoint follows that of ``step``."""
        return step >= (runner.max_epochs if self.by_epoch else runner.max_iters)

    def _path(self, step: int) -> str:
        """Path of the checkpoint of a step."""
        return self.file_backend.join_path(self.out_dir, self.filename_tmpl.format(step))

    def _take_up_best(self, runner: Runner) -> None:
        """Go on with the best checkpoints of a resumed run that are in its directory, and with no others."""
        is_own = self._resumed is None or osp.dirname(osp.realpath(self._resumed)) == osp.realpath(
            self.out_dir
        )
        forget_foreign_best(
            runner.message_hub,
            self.out_dir,
            lambda name: is_own and self.file_backend.isfile(self.file_backend.join_path(self.out_dir, name)),
        )
        for name in self.key_indicators if self.save_best else []:
            suffix = f'_{name}' if len(self.key_indicators) > 1 else ''
            self._note_best_path(name, runner.message_hub.get_info(f'{BEST}{suffix}'))
