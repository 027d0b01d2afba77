"""Which checkpoint the demo shows."""

from __future__ import annotations

from pathlib import Path

from ..apis import train
from ..apis.model_files import is_checkpoint
from ..engine.config.work_dir import ROOT, default_work_dir, newest_work_dir
from ..engine.runtime.resume import POINTER
from ..io.errors import ConfigError
from ..io.shipped import call_of
from ..io.text import printable

WITHOUT = 'point_peft/pointmae_mini_shapes'
"""Config of the model that is trained where none is given."""

BEST = 'best_*.pth'
"""The best checkpoint of a run."""

OBJECTS, EPOCHS = 320, 8

QUICK = {
    'train_dataloader.dataset.num_samples': OBJECTS,
    'val_dataloader': None,
    'val_evaluator': None,
    'val_cfg': None,
    'test_dataloader.dataset.num_samples': 160,
    'train_cfg.max_epochs': EPOCHS,
    'default_hooks.protocol.test_interval': EPOCHS,
    'default_hooks.checkpoint.interval': EPOCHS,
}
"""Changes with which it takes about a minute."""


def find_checkpoint(given: str | None) -> str:
    """The checkpoint that is meant.

    Args:
        given (str | None): A checkpoint; or the name of a config, for the newest run of it in ``work_dirs``; or
            None for a model of the built-in shapes, which is trained in ``work_dirs/demo`` if it is not there.

    Raises:
        ConfigError: There is no run of the config.
    """
    if given is None:
        return _quickly_trained()
    if is_checkpoint(given):
        return given
    folder = newest_work_dir(default_work_dir(given))
    found = result_of(folder)
    if found is None:
        raise ConfigError(
            f"'{printable(given)}' is neither a checkpoint nor a config with a run in '{printable(folder)}'; give the "
            f'checkpoint of a training, or train one: {call_of("train.py")} {printable(given)}.'
        )
    return str(found)


def result_of(folder: Path) -> Path | None:
    """The checkpoint to use of a run: the best on validation where there is one, else the last."""
    best = max(folder.glob(BEST), key=lambda file: file.stat().st_mtime, default=None)
    if best is not None:
        return best
    note = folder / POINTER
    if not note.is_file():
        return None
    named = Path(note.read_text().strip())
    last = named if named.is_file() else folder / named.name  # of a directory that was moved
    return last if last.is_file() else None


def _quickly_trained() -> str:
    """The model of the built-in shapes that the demo keeps for itself."""
    folder = ROOT / 'demo'
    found = result_of(folder)
    if found is None:
        print(
            f'no model is given: tuning the shipped backbone on {OBJECTS} built-in shapes, which takes about a minute; '
            f'it is kept in {folder}'
        )
        found = train(WITHOUT, options=QUICK, work_dir=folder, device='cpu').checkpoint
        assert found is not None  # the last epoch is always saved
    return str(found)
