"""Runner that needs none of its files but the checkpoints."""

from __future__ import annotations

import logging
import sysconfig
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

import mmengine
import torch
from mmengine.config import Config
from mmengine.dist import master_only
from mmengine.logging import MMLogger
from mmengine.runner import Runner
from torch import nn

from ...io.errors import ConfigError, PointPEFTError
from ...io.spared import spared
from ..config.required import check_loops
from ..config.schedule import drop_short_warmups
from .compiling import compile_training
from .console import SparedStream
from .saving import collect_checkpoint, write_checkpoint
from .screen import keep_lists_off_screen

Step = TypeVar('Step', bound=Callable[..., Any])

BUILT_FROM = {
    '_check_scheduler_cfg': 'param_scheduler',  # private, but nothing public is called between it and the refusal
    'setup_env': 'env_cfg',
    'set_randomness': 'randomness',
    'build_log_processor': 'log_processor',
    'build_visualizer': 'visualizer',
    'build_model': 'model',
    'wrap_model': 'model_wrapper_cfg',
    'register_hooks': 'default_hooks or custom_hooks',
    '_maybe_compile': 'compile',  # private, but called in the middle of `train`, among errors of other sections
    'build_train_loop': 'train_dataloader or train_cfg',
    'build_val_loop': 'val_dataloader, val_evaluator or val_cfg',
    'build_test_loop': 'test_dataloader, test_evaluator or test_cfg',
    'build_optim_wrapper': 'optim_wrapper',
    'build_param_scheduler': 'param_scheduler',
}
"""Methods of MMEngine's runner that build something, and the sections of the config that they build it from."""

MACHINERY = tuple(Path(module.__file__ or '').resolve().parent for module in (mmengine, torch)) + (
    Path(__file__).resolve().parents[1],
)
"""Directories whose code passes on what the config says; an error of any other class may be its own."""

STANDARD_LIBRARY = Path(sysconfig.get_paths()['stdlib']).resolve()

REFUSALS = (TypeError, ValueError, LookupError, AssertionError, AttributeError)
"""What MMEngine and torch raise over an argument."""


def _refusing_in_a_sentence(step: Step, section: str) -> Step:
    """Let a value that MMEngine or torch do not take be a sentence; errors in anybody's own class stay as they are."""

    def build(*args: Any, **kwargs: Any) -> Any:
        try:
            return step(*args, **kwargs)
        except PointPEFTError:
            raise
        except REFUSALS as error:
            frames = traceback.extract_tb(error.__traceback__)
            places = [Path(frame.filename).resolve() for frame in frames]
            if not all(map(_is_machinery, places)):
                raise
            said = _one_line(error) or frames[-1].line
            raise ConfigError(
                f'{section} cannot be built as the config has it ({type(error).__name__}: {said}; '
                f'{places[-1].name}, line {frames[-1].lineno}); change the value there.'
            ) from error

    return cast(Step, build)


def _is_machinery(place: Path) -> bool:
    """Whether a file belongs to what builds a run from a config, and to nobody's model, hook or dataset."""
    if STANDARD_LIBRARY in place.parents and 'site-packages' not in place.parts:
        return True
    return any(directory in place.parents for directory in MACHINERY)


def _one_line(error: Exception) -> str:
    """What an error says, without line breaks and without the advice that follows a first sentence."""
    return ' '.join(str(error.args[0] if error.args else '').split()).partition('. ')[0]


class SparedRunner(Runner):
    """MMEngine's Runner, but a full disk costs a log or a copy of the config, and one warning, not the run.

    Environment, config and hooks are listed in the log file and not on the screen.
    """

    @classmethod
    def from_cfg(cls, cfg: Config) -> Runner:
        """Build it, after a look at what MMEngine would refuse with a traceback."""
        check_loops(cfg)
        return super().from_cfg(cfg)

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """The logger of the run; without its file, if that cannot be opened."""
        try:
            logger = super().build_logger(*args, **kwargs)
        except OSError as error:
            logger = MMLogger.get_instance(self.experiment_name, log_level=kwargs.get('log_level', 'INFO'))
            logger.warning(f'the log could not be opened ({error}); the run goes on without it')
        for handler in logger.handlers:
            # MMEngine writes to the stream directly too, and python's logging prints a traceback per lost line.
            if isinstance(handler, logging.FileHandler):
                stream: Any = handler.stream
                handler.stream = cast(Any, SparedStream(stream, handler.baseFilename))
        keep_lists_off_screen(logger)
        if logger.log_file is not None:
            logger.info(f'environment, config and hooks are listed in {logger.log_file}')
        return logger

    def build_param_scheduler(self, scheduler: Any) -> Any:
        """Build the schedules, without warm-ups that are too short to end."""
        scheduler, notes = drop_short_warmups(scheduler, len(self.train_dataloader))
        for note in notes:
            self.logger.warning(note)
        return super().build_param_scheduler(scheduler)

    def train(self) -> nn.Module:
        """Train; see :class:`mmengine.runner.Runner`."""
        with self._ending_bars():
            return super().train()

    def val(self) -> dict:
        """Validate; see :class:`mmengine.runner.Runner`."""
        with self._ending_bars():
            return super().val()

    def test(self) -> dict:
        """Test; see :class:`mmengine.runner.Runner`."""
        with self._ending_bars():
            return super().test()

    def _maybe_compile(self, target: str) -> None:
        """Compile what the model computes in training, where the config says ``compile``.

        Losses take data samples, which are no tensors, so our task models compile their logits; of others MMEngine
        compiles the step.
        """
        if compile_training(self.model, self.cfg):
            self.logger.info('the model is compiled; the first steps of each shape take minutes')
        else:
            super()._maybe_compile(target)

    @contextmanager
    def _ending_bars(self) -> Iterator[None]:
        """Leave the terminal as it was, however the loop ends."""
        try:
            yield
        finally:
            self.call_hook('end_bars')

    @master_only
    def save_checkpoint(
        self,
        out_dir: str,
        filename: str,
        file_client_args: None = None,
        save_optimizer: bool = True,
        save_param_scheduler: bool = True,
        meta: dict[str, Any] | None = None,
        by_epoch: bool = True,
        backend_args: dict[str, Any] | None = None,
    ) -> None:
        """Write a checkpoint, as :meth:`mmengine.runner.Runner.save_checkpoint` with its arguments.

        ``file_client_args`` are what MMEngine warns of: ``backend_args`` say the same.
        """
        done = dict(epoch=self.epoch + by_epoch, iter=self.iter + (not by_epoch)) | (meta or {})
        checkpoint = collect_checkpoint(
            self, done, save_optimizer=save_optimizer, save_param_scheduler=save_param_scheduler
        )
        self.call_hook('before_save_checkpoint', checkpoint=checkpoint)
        write_checkpoint(checkpoint, out_dir, filename, backend_args)

    def dump_config(self) -> None:
        """Write the config to the work directory."""
        with spared('the config'):
            super().dump_config()


for _method, _section in BUILT_FROM.items():
    setattr(SparedRunner, _method, _refusing_in_a_sentence(getattr(SparedRunner, _method), _section))
