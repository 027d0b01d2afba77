"""Classifiers as ONNX files: the same logits in ONNX Runtime, for any batch size."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from compiled_models import SHALLOW, needs_compiler
from small_models import build_classifier, clouds, fill_bank, logits, methods_for
from torch import nn

from point_peft.deployment import ExportError, compare_with_onnx, export_program, write_onnx
from point_peft.ops import farthest_point_sample, greedy_order, knn

pytestmark = needs_compiler

onnxruntime = pytest.importorskip('onnxruntime')
onnx = pytest.importorskip('onnx')
pytest.importorskip('onnxscript')


def tuned(name: str, method: str) -> nn.Module:
    """A shallow classifier."""
    model = build_classifier(
        methods_for(name)[method] if method != 'full' else (), name=name, **SHALLOW[name]
    )
    fill_bank(model)
    return model.eval()


@pytest.mark.parametrize('method', ['full', 'lora', 'point_peft'])
@pytest.mark.parametrize('name', ['PointMAE', 'PointGPT'])
def test_same_logits(name: str, method: str, tmp_path: Path) -> None:
    model, file = tuned(name, method), tmp_path / 'model.onnx'
    write_onnx(export_program(model, 64), file, dict(classes=['a', 'b'], num_points=64))
    session = onnxruntime.InferenceSession(str(file))
    for batch in (1, 7):
        points = clouds(batch, seed=batch)
        found = session.run(['logits'], {'points': points.numpy()})[0]
        np.testing.assert_allclose(found, logits(model, points).numpy(), atol=1e-5)
    found = compare_with_onnx(model, file, [clouds(3)])
    assert found.difference < 1e-5 and found.batch == 3 and found.seconds > 0 and found.file_seconds > 0
    about = {entry.key: json.loads(entry.value) for entry in onnx.load(file).metadata_props}
    assert about == dict(classes=['a', 'b'], num_points=64)


class Geometry(nn.Module):
    """The operators alone."""

    def forward(self, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        picks = farthest_point_sample(points, 40)
        centers = points.gather(1, picks[..., None].expand(-1, -1, 3))
        return picks, knn(centers, points, 5), greedy_order(centers)


def test_operators(tmp_path: Path) -> None:
    """The same indices, also of clouds whose points coincide; a loop stays a loop."""
    from point_peft.deployment.onnx_operators import translations

    points = clouds(3, 100)
    points[2, 50:] = points[2, :50]
    program = torch.export.export(Geometry(), (points,), dynamic_shapes=({0: torch.export.Dim('batch')},))
    exported = torch.onnx.export(
        program, dynamo=True, optimize=False, verbose=False, custom_translation_table=translations()
    )
    exported.save(tmp_path / 'geometry.onnx')
    session = onnxruntime.InferenceSession(str(tmp_path / 'geometry.onnx'))
    name = session.get_inputs()[0].name
    for batch in (points, points[:1]):
        picks, near, order = session.run(None, {name: batch.numpy()})
        expected = Geometry()(batch)
        assert np.array_equal(picks, expected[0].numpy())
        assert np.array_equal(np.sort(near)[:2], np.sort(expected[1].numpy())[:2])  # ties are in no order
        assert np.array_equal(order, expected[2].numpy())
    assert len(onnx.load(tmp_path / 'geometry.onnx').graph.node) < 150  # unrolled, thousands


def test_a_file_that_computes_something_else(tmp_path: Path) -> None:
    """It is refused, with the difference."""
    file = tmp_path / 'model.onnx'
    write_onnx(export_program(tuned('PointMAE', 'full'), 64), file, {})
    other = tuned('PointMAE', 'full')
    with torch.no_grad():
        next(reversed(list(other.parameters()))).add_(1.0)
    with pytest.raises(ExportError, match=r'computes other logits than the model: they differ by'):
        compare_with_onnx(other, file, [clouds(2)])


def test_what_cannot_be_exported() -> None:
    with pytest.raises(ExportError, match='Linear cannot be exported, as only classifiers'):
        export_program(nn.Linear(3, 3), 64)


def test_tool(load_tool: Callable[[str], ModuleType], tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """From a checkpoint to both kinds of file; nothing to write is said before anything is loaded."""
    tool = load_tool('deployment/export.py')
    from argparse import Namespace

    from point_peft.apis import init_model
    from point_peft.io.errors import ConfigError

    config = 'full/pointmae_mini_shapes'
    checkpoint = tmp_path / 'model.pth'
    torch.save(dict(state_dict=init_model(config, device='cpu').state_dict()), checkpoint)
    args = dict(config=config, checkpoint=str(checkpoint), num_points=256, cfg_options={})
    with pytest.raises(ConfigError, match='nothing to write; give --onnx FILE or --torch-export FILE'):
        tool.main(Namespace(**args, onnx=None, torch_export=None))
    tool.main(Namespace(**args, onnx=tmp_path / 'a.onnx', torch_export=tmp_path / 'a.pt2'))
    said = capsys.readouterr().out
    assert 'a.onnx: ' in said and 'ms in ONNX Runtime' in said
    assert 'input: points (B, 256, 3) float32, normalised: ' in said and 'logits (B, 16)' in said
    loaded = torch.export.load(tmp_path / 'a.pt2').module()
    assert loaded(torch.rand(3, 256, 3)).shape == (3, 16)
