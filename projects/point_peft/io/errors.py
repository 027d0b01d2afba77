"""Errors that a user can mend; the tools print them as one sentence, without a traceback."""

from __future__ import annotations


class PointPEFTError(Exception):
    """Something outside the code is at fault: a file, a path, a config or a flag."""


class ConfigError(PointPEFTError):
    """A config or a command line cannot be used."""


class MissingFileError(PointPEFTError, FileNotFoundError):
    """A file or directory that the config or the command line names does not exist."""


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


class MemoryBankMismatchError(CheckpointError):
    """A memory bank was built from something else than the run or the adapter needs."""


class NonFiniteError(PointPEFTError):
    """A loss, a weight or a statistic became NaN or infinite, so that going on would learn nothing."""


class NonFiniteWeightsError(CheckpointError):
    """Weights hold a NaN or an infinity."""


class OtherNetworkError(UnmatchedCheckpointError):
    """A checkpoint was saved by a network that computes something else."""


class OtherClassesError(CheckpointError):
    """A checkpoint was trained on other classes, or on the same in another order."""


class DatasetNotFoundError(FileNotFoundError):
    """A dataset's directory or one of its files does not exist."""


class DatasetError(ValueError):
    """A file was found, but what it holds cannot be used."""
