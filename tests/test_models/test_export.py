"""Exporting a classifier: one program for any batch size, with the same logits."""

import pytest
import torch
from compiled_models import SHALLOW, check_export, export, needs_compiler
from small_models import SMALL_BACKBONES, build_classifier, clouds, fill_bank, logits, methods_for

pytestmark = needs_compiler


def tuned(name, method):
    """A shallow tuned classifier."""
    model = build_classifier(methods_for(name)[method], name=name, **SHALLOW[name])
    fill_bank(model)
    return model


@pytest.mark.parametrize('name', SMALL_BACKBONES)
def test_plain_classifier(name):
    check_export(build_classifier(name=name, **SHALLOW[name]))


@pytest.mark.parametrize('method', ['lora', 'vpt_deep', 'point_peft'])
@pytest.mark.parametrize('name', ['PointMAE', 'PointGPT'])
def test_tuned_classifier(name, method):
    check_export(tuned(name, method), atol=2e-5 if method == 'lora' else 1e-6)


def test_a_saved_program(tmp_path):
    model, points = tuned('PointMAE', 'vpt_deep'), clouds(3)
    torch.export.save(export(model), tmp_path / 'model.pt2')
    loaded = torch.export.load(tmp_path / 'model.pt2')
    torch.testing.assert_close(loaded.module()(dict(points=points)), logits(model, points), rtol=0, atol=1e-6)
