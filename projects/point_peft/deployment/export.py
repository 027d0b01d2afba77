"""From a model to a program: ``torch.export``, and from there to ONNX."""

from __future__ import annotations

import io
import json
import logging
import time
import warnings
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np
import torch
from torch import Tensor, nn

from ..io.atomic import write_atomically
from ..io.errors import PointPEFTError
from ..models import PartSegmentor, PointClassifier
from ..ops.compiling import HAS_CUSTOM_OPERATORS

POINTS, CATEGORY, OUTPUT = 'points', 'category', 'logits'
"""Names in the ONNX file; the category is an input of part segmentors."""

Exportable: TypeAlias = PointClassifier | PartSegmentor

MAX_DIFFERENCE = 1e-4
"""Of the logits of two runs of the same network, relative to the largest logit where that is above one."""

REPEATS = 5


class ExportError(PointPEFTError, RuntimeError):
    """A model cannot be exported, or what came out computes something else."""


@dataclass(frozen=True)
class Exported:
    """What a comparison of a file with its model found.

    Attributes:
        difference (float): Largest difference of a logit, relative to the largest logit where that is above one.
        seconds (float): Median time of a batch here, in PyTorch.
        file_seconds (float): The same of the file.
        batch (int): Clouds of that batch.
    """

    difference: float
    seconds: float
    file_seconds: float
    batch: int


class _Logits(nn.Module):
    """The model as a function of tensors."""

    def __init__(self, model: Exportable) -> None:
        super().__init__()
        self.model = model

    def forward(self, points: Tensor, category: Tensor | None = None) -> Tensor:
        inputs = {POINTS: points} if category is None else {POINTS: points, CATEGORY: category}
        return cast(Tensor, self.model(inputs, mode='tensor'))


def inputs_for(model: nn.Module, points: Tensor) -> dict[str, Tensor]:
    """What a model takes beside points (B, N, 3), by name: of a part segmentor the categories in turn, (B,) int64."""
    if not isinstance(model, PartSegmentor):
        return {POINTS: points}
    return {POINTS: points, CATEGORY: torch.arange(len(points)) % model.head.num_categories}


def export_program(model: nn.Module, num_points: int) -> torch.export.ExportedProgram:
    """Export a classifier or part segmentor for any number of clouds of ``num_points`` points.

    Args:
        model (nn.Module): The model; sampling, grouping, methods, memory bank and decoder become part of the program.
        num_points (int): N.

    Returns:
        ExportedProgram: Of a classifier points (B, N, 3) -> logits (B, num_classes). Of a part segmentor points and
            category (B,) int64 -> logits (B, N, num_parts), of all categories' parts. Whoever loads it imports
            ``point_peft.ops`` first.

    Raises:
        ExportError: The model is something else, PyTorch is too old, or something in the model cannot be exported.
    """
    if not isinstance(model, Exportable):
        raise ExportError(
            f'{type(model).__name__} cannot be exported, as only classifiers and part segmentors map clouds of one '
            'size to logits; give the config of one.'
        )
    if not HAS_CUSTOM_OPERATORS:
        raise ExportError(f'torch {torch.__version__} is too old to export; install 2.4 or newer.')
    points = torch.rand(2, num_points, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1
    inputs = tuple(inputs_for(model, points).values())
    batch = torch.export.Dim('batch')
    try:
        with torch.no_grad():
            return torch.export.export(
                _Logits(model).cpu().eval(), inputs, dynamic_shapes=tuple({0: batch} for _ in inputs)
            )
    except (RuntimeError, ValueError, TypeError) as error:
        raise ExportError(
            f'this model cannot be exported ({type(error).__name__}: {_first_line(error)}).'
        ) from error


def write_onnx(program: torch.export.ExportedProgram, path: Path, about: Mapping[str, Any]) -> None:
    """Write a program as one ONNX file.

    Args:
        program (ExportedProgram): From :func:`export_program`.
        path (Path): The file.
        about (Mapping): Becomes the file's metadata, as JSON by key: names of classes, what is done to the points.

    Raises:
        ExportError: onnx and onnxscript are not installed, or an operation has no translation.
    """
    try:
        from .onnx_operators import translations
    except ImportError as error:
        raise ExportError(
            f'ONNX needs {error.name}, which is not installed; pip install -r requirements/onnx.txt'
        ) from error
    try:
        # What it says is about packages that nothing here needs, and about its own future.
        logging.getLogger('torch.onnx._internal.exporter._registration').setLevel(logging.ERROR)
        with redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter('ignore', FutureWarning)
            # The optimizer takes an addition of 1e-8, which keeps weights finite, for one of nothing.
            exported = torch.onnx.export(
                program,
                dynamo=True,
                optimize=False,
                verbose=False,
                input_names=[POINTS, CATEGORY][: len(program.graph_signature.user_inputs)],
                output_names=[OUTPUT],
                custom_translation_table=translations(),
            )
    except torch.onnx.OnnxExporterError as error:
        raise ExportError(f'this model has no translation to ONNX ({_first_line(error)}).') from error
    assert exported is not None
    proto = exported.model_proto
    for key, value in about.items():
        entry = proto.metadata_props.add()
        entry.key, entry.value = key, json.dumps(value)
    write_atomically(path, proto.SerializeToString())


def compare_with_onnx(model: nn.Module, path: Path, points: Sequence[Tensor]) -> Exported:
    """Run an ONNX file and its model on the same clouds.

    Args:
        model (nn.Module): The model.
        path (Path): The file.
        points (Sequence[Tensor]): Batches (B, N, 3) of any sizes; the last one is timed.

    Raises:
        ExportError: onnxruntime is not installed, or the logits differ by more than :data:`MAX_DIFFERENCE`.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise ExportError(
            'running the file to compare it needs onnxruntime; pip install -r requirements/onnx.txt'
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
    plain = _Logits(cast(Exportable, model)).cpu().eval()
    difference = 0.0
    for batch in points:
        given = inputs_for(model, batch)
        arrays = {name: values.numpy() for name, values in given.items()}
        with torch.inference_mode():
            expected = plain(**given).numpy()
        found = session.run([OUTPUT], arrays)[0]
        off = np.abs(found - expected).max() / max(1.0, float(np.abs(expected).max()))
        difference = max(difference, float(off) if np.isfinite(found).all() else float('inf'))
    if not difference <= MAX_DIFFERENCE:
        raise ExportError(
            f"'{path}' computes other logits than the model: they differ by {difference:.2g}, more than "
            f'{MAX_DIFFERENCE}; do not use it, and report this with the name of the config.'
        )
    with torch.inference_mode():
        seconds = _median_seconds(lambda: plain(**given))
    file_seconds = _median_seconds(lambda: session.run([OUTPUT], arrays))
    return Exported(difference, seconds, file_seconds, len(points[-1]))


def _median_seconds(run: Any) -> float:
    times = []
    for _ in range(REPEATS + 1):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return float(np.median(times[1:]))


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
