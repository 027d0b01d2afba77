"""What all methods promise on every small backbone: adapters come back in another process, and they compile.

For all tasks with ``pytest -m thorough``, which takes a quarter of an hour on two cores.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
import warm_python
from compiled_models import needs_compiler
from method_matrix import CELLS, TASKS, Run, as_configured, refusal, tuned
from small_models import SMALL_BACKBONES, clouds
from torch import nn

from point_peft.engine.checkpoint import adapter_state, describe_checkpoint, load_weights
from point_peft.engine.config import part_files
from point_peft.io.weights import save_checkpoint

PARTS = [part for part in part_files('method') if part != 'full']

CHILD = f"""
import sys
sys.path[:0] = [{str(Path(__file__).parent)!r}, {str(Path(__file__).parents[1])!r}]
from test_every_cell import come_back
come_back(*sys.argv[1:])
"""


OTHER_CELLS = [
    (part, name, task)
    for part in PARTS
    for name, task in CELLS
    if (name, task) != ('PointMAE', 'classification') and refusal(part, name, task) is None
]


def cell(part: str, name: str, task: str) -> tuple[nn.Module, Run]:
    """A model with fresh methods as the config has them, at a small size; its base is the same in any process."""
    methods, head = as_configured(part, name, task)
    model, run = tuned(name, task, methods, **head)
    return model.eval(), run


def train(model: nn.Module) -> None:
    """Move all that is trained."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter += 0.05 * torch.randn(parameter.shape, generator=generator)


def come_back(part: str, task: str, folder: str) -> None:
    """In another process: every backbone's adapter of a method gives the outputs that it was saved with."""
    for name in SMALL_BACKBONES:
        model, run = cell(part, name, task)
        expected = torch.load(Path(folder) / f'{name}.outputs', weights_only=True)
        with torch.no_grad():
            assert not torch.allclose(run(clouds()), expected, atol=1e-3), name
            load_weights(model, Path(folder) / f'{name}.safetensors')
            torch.testing.assert_close(run(clouds()), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    'task',
    [task if task == TASKS[0] else pytest.param(task, marks=pytest.mark.thorough) for task in TASKS],
)
@pytest.mark.parametrize('part', PARTS)
def test_adapter_in_another_process(part: str, task: str, tmp_path: Path) -> None:
    if any(refusal(part, name, task) for name in SMALL_BACKBONES):
        assert all(refusal(part, name, task) for name in SMALL_BACKBONES)
        return  # test_backbone_matrix.py has the reasons
    for name in SMALL_BACKBONES:
        model, run = cell(part, name, task)
        train(model)
        meta = {'point_peft': describe_checkpoint(model, 'delta')}
        save_checkpoint(tmp_path / f'{name}.safetensors', adapter_state(model), meta)
        with torch.no_grad():
            torch.save(run(clouds()), tmp_path / f'{name}.outputs')
    done = warm_python.run([sys.executable, '-c', CHILD, part, task, tmp_path])
    assert done.returncode == 0, done.stderr


@needs_compiler
@pytest.mark.parametrize(
    ('part', 'name', 'task'),
    [(part, 'PointMAE', 'classification') for part in PARTS]
    + [pytest.param(*other, marks=pytest.mark.thorough) for other in OTHER_CELLS],
)
def test_compiles_as_one_graph(part: str, name: str, task: str) -> None:
    """Outputs and gradients of the trained are those of eager code; test_compile.py has the bits of some."""
    torch._dynamo.reset()
    model, run = cell(part, name, task)
    train(model)
    compiled = torch.compile(run, backend='eager', fullgraph=True)
    points, found = clouds(), []
    for function in (run, compiled):
        model.zero_grad()
        out = function(points)
        out.square().sum().backward()
        gradients = {key: p.grad.clone() for key, p in model.named_parameters() if p.grad is not None}
        found.append((out.detach(), gradients))
    torch.testing.assert_close(*found, atol=1e-5, rtol=1e-4)
    assert found[0][1]
