"""Errors that speak to the user; the tools print them as one sentence, without a traceback.

Whatever the package raises over a file, a value or a command is one of these. Those that stand for a builtin error are
also that, so that ``except ValueError`` goes on working.
"""

from __future__ import annotations


class PointPEFTError(Exception):
    """Something outside the code is at fault: a file, a path, a config, a flag, or what a function was given."""


class InvalidValueError(PointPEFTError, ValueError):
    """An argument, a tensor or a cloud cannot be used."""


class MissingKeyError(PointPEFTError, KeyError):
    """A dict or a data sample lacks something that is needed."""

    __str__ = Exception.__str__  # a KeyError would put its sentence in quotes


class ConfigError(PointPEFTError):
    """A config or a command line cannot be used."""


class MissingFileError(PointPEFTError, FileNotFoundError):
    """A file or directory that the config or the command line names does not exist."""


class MissingPackageError(PointPEFTError, ImportError):
    """Something needs a package that is not installed."""


class WriteError(PointPEFTError, OSError):
    """A file cannot be written."""


class DatasetNotFoundError(MissingFileError):
    """A dataset's directory or one of its files does not exist."""


class DatasetError(PointPEFTError, ValueError):
    """A file of a dataset was found, but what it holds cannot be used."""


class CheckpointError(PointPEFTError):
    """A checkpoint cannot be used."""


class UnsafeCheckpointError(CheckpointError):
    """A checkpoint asks for more than plain tensors, so reading it could run code."""


class CorruptCheckpointError(CheckpointError):
    """A checkpoint is truncated, empty or not a checkpoint at all."""


class CheckpointSaveError(CheckpointError):
    """A checkpoint that must not be lost could not be written."""


class BaseWeightsMismatchError(CheckpointError):
    """An adapter belongs to other base weights than the model holds."""


class UnmatchedCheckpointError(CheckpointError):
    """A checkpoint and a model do not fit: no common tensor, or tensors of another shape."""


class OtherNetworkError(UnmatchedCheckpointError):
    """A checkpoint was saved by a network that computes something else."""


class OtherClassesError(CheckpointError):
    """A checkpoint was trained on other classes, or on the same in another order."""


class FittedStateMismatchError(CheckpointError):
    """A state was fitted on something else than the run or the adapter needs."""


class NonFiniteWeightsError(CheckpointError):
    """Weights hold a NaN or an infinity."""


class NonFiniteError(PointPEFTError):
    """A loss, a weight or a statistic became NaN or infinite, so that going on would learn nothing."""
