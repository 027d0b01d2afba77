"""Compiling the training of tuned models: one graph with the same bits, for every method on every backbone."""

import pytest
from compiled_models import SHALLOW, check_compiled_training, needs_compiler
from small_models import SMALL_BACKBONES, build_classifier, fill_bank, methods_for

pytestmark = needs_compiler


def tuned(name, method):
    """A shallow tuned classifier in training mode, with stochastic depth and dropout on."""
    model = build_classifier(methods_for(name)[method], name=name, **SHALLOW[name])
    fill_bank(model)
    return model.train()


PAIRS = [(name, method) for name in SMALL_BACKBONES for method in ('lora', 'vpt_deep')]
PAIRS += [('PointMAE', 'geometry'), ('PointMAE', 'prompt')]
"""Both of the latter are parts of Point-PEFT, which is compiled on all backbones."""


@pytest.mark.parametrize(('name', 'method'), PAIRS)
def test_training_is_one_graph_with_the_same_bits(name, method):
    check_compiled_training(tuned(name, method), 4)


@pytest.mark.parametrize('name', SMALL_BACKBONES)
def test_training_with_point_peft(name):
    several = name in ('PointMAE', 'PointGPT', 'PointM2AE')  # without masks, with one, with stages
    check_compiled_training(tuned(name, 'point_peft'), 4, *([6] if several else []))


@pytest.mark.parametrize('kind', ['DoRA', 'SSF', 'VPTShallow'])
def test_training_with_one_method(kind):
    batches = [4, 6] if kind == 'DoRA' else [4]  # whose products are operators of ours
    check_compiled_training(build_classifier([dict(type=kind)], **SHALLOW['PointMAE']).train(), *batches)
