"""Classifiers and part segmentors as ONNX files: the same logits in ONNX Runtime, for any batch size."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import small_part_models
import torch
from compiled_models import needs_compiler
from small_models import build_classifier, clouds, fill_bank, logits, methods_for
from torch import nn

from point_peft.deployment import ExportError, compare_with_onnx, export_program, write_onnx
from point_peft.ops import farthest_point_sample, greedy_order, knn

pytestmark = needs_compiler

onnxruntime = pytest.importorskip('onnxruntime')
onnx = pytest.importorskip('onnx')
pytest.importorskip('onnxscript')


def tuned(name: str, method: str) -> nn.Module:
    """A classifier of one block: exporting takes seconds for each."""
    model = build_classifier(methods_for(name)[method] if method != 'full' else (), name=name, depth=1)
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


@pytest.mark.parametrize('methods', [(), ('lora', 'point_peft')], ids=['full', 'lora and point_peft'])
def test_same_parts(methods: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Propagation and category are inside; a category that there is not is refused, not taken for none."""
    one_block = dict(class_token=False, depth=1, decoder_layers=[[0]])
    monkeypatch.setitem(small_part_models.CHANGES, 'PointMAE', one_block)
    both = [method for name in methods for method in methods_for('PointMAE')[name]]
    monkeypatch.setattr(small_part_models, 'methods_for', lambda name: dict(both=both))
    model = small_part_models.build_segmentor('PointMAE', way='both' if both else 'full')
    file = tmp_path / 'model.onnx'
    write_onnx(export_program(model, 64), file, {})
    found = compare_with_onnx(model, file, [clouds(1), clouds(7)])
    assert found.difference < 1e-5 and found.batch == 7
    session = onnxruntime.InferenceSession(str(file))
    inputs, _ = small_part_models.part_batch(5)
    arrays = {name: values.numpy() for name, values in inputs.items()}
    expected = small_part_models.part_logits(model, inputs).numpy()
    np.testing.assert_allclose(session.run(['logits'], arrays)[0], expected, atol=1e-5)
    for wrong in (-1, len(small_part_models.PARTS)):
        with pytest.raises(Exception, match='invalid index found'):
            session.run(['logits'], arrays | dict(category=np.full(5, wrong)))


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
    with pytest.raises(
        ExportError, match='Linear cannot be exported, as only classifiers and part segmentors'
    ):
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


def test_names_in_the_file(load_tool: Callable[[str], ModuleType]) -> None:
    """Of classes; or of categories and parts, with the number of parts of each category."""
    tool = load_tool('deployment/export.py')
    model = small_part_models.build_segmentor()
    model.dataset_meta = dict(classes=['a', 'b', 'c', 'd'], parts=list('stuvwxyz'))
    expected = dict(classes=['a', 'b', 'c', 'd'], parts_per_category=[2, 3, 1, 2], parts=list('stuvwxyz'))
    assert tool.names_of(model, clouds()) == expected
    assert tool.names_of(tuned('PointMAE', 'full'), clouds())['classes'][:2] == ['0', '1']
