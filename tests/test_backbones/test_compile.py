"""Compiling the training of every backbone: one graph, the same bits, any batch size."""

import shutil

import pytest
import torch
from compiled_models import SHALLOW, check_compiled_training, needs_compiler
from small_models import SMALL_BACKBONES, build_classifier, clouds, logits

pytestmark = needs_compiler


@pytest.mark.parametrize('name', SMALL_BACKBONES)
def test_training_is_one_graph_for_all_batch_sizes_with_the_same_bits(name):
    model = build_classifier(name=name, **SHALLOW[name], drop_path_rate=0.0, head=dict(dropout=0.0))
    check_compiled_training(model.train(), 4, 6)


def test_stochastic_depth_and_dropout_fall_alike():
    check_compiled_training(build_classifier(depth=2, drop_path_rate=0.5).train(), 4)


@pytest.mark.skipif(shutil.which('g++') is None, reason='inductor needs a C++ compiler')
def test_default_backend(tmp_path, monkeypatch):
    monkeypatch.setenv('TORCHINDUCTOR_CACHE_DIR', str(tmp_path))
    model, points = build_classifier(depth=1), clouds()
    compiled = torch.compile(model, fullgraph=True)
    torch.testing.assert_close(logits(compiled, points), logits(model, points), rtol=0, atol=1e-5)
