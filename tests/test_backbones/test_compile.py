"""Compiling the training of every backbone: one graph, the same bits, any batch size."""

import shutil

import pytest
from compiling import check_compiled_training, needs_compiler
from small_models import SMALL_BACKBONES, build_classifier

pytestmark = needs_compiler

SHALLOW = {name: dict(depth=2) for name in SMALL_BACKBONES} | dict(PointM2AE=dict(depths=(1, 1, 1)))


@pytest.mark.parametrize('name', SMALL_BACKBONES)
def test_training_is_one_graph_with_the_same_bits(name):
    model = build_classifier(name=name, head=dict(dropout=0.0), drop_path_rate=0.0, **SHALLOW[name])
    check_compiled_training(model.train())


def test_stochastic_depth_and_dropout_fall_alike():
    check_compiled_training(build_classifier(depth=2, drop_path_rate=0.5).train())


@pytest.mark.skipif(shutil.which('g++') is None, reason='inductor needs a C++ compiler')
def test_default_backend(tmp_path, monkeypatch):
    monkeypatch.setenv('TORCHINDUCTOR_CACHE_DIR', str(tmp_path))
    model = build_classifier(head=dict(dropout=0.0), drop_path_rate=0.0, depth=1)
    check_compiled_training(model.train(), 'inductor', rtol=1e-4, atol=1e-5)
