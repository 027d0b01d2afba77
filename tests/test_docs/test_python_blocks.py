"""Every Python block of the documentation runs, is loaded as a config, or is run by another test that is named."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import timm_stand_in
import torch
from markdown_blocks import code_blocks, has_test
from shell_commands import PAGES, ROOT

from point_peft.apis import init_model
from point_peft.engine.config import load_config
from point_peft.engine.config.check import check_config
from point_peft.io.errors import MissingFileError

SHAPES = "_base_ = 'configs/point_peft/pointmae_mini_shapes.py'\n"
SCANS = "_base_ = 'configs/point_peft/pointmae_scanobjnn.py'\n"


def as_config(before: str = '') -> Callable[[str], None]:
    """It is a config, or a part of one that begins with ``before``: loaded and checked as a tool does."""

    def check(code: str) -> None:
        Path('mine.py').write_text(before + code)
        Path('my_method.py').write_text((ROOT / 'configs/_base_/methods/lora.py').read_text())
        check_config(load_config('mine.py'))

    return check


def runs(*lines: str) -> Callable[[str], None]:
    """It runs behind these lines."""
    return lambda code: exec(compile('\n'.join([*lines, code]), 'block', 'exec'), {'__name__': '__main__'})


def trained(config: str, file: str) -> Callable[[str], None]:
    """It runs where a training has left this file, and ``points`` are clouds."""

    def run(code: str) -> None:
        Path(file).parent.mkdir(parents=True)
        torch.save(dict(state_dict=init_model(config, device='cpu').state_dict()), file)
        runs('import torch', 'points = torch.rand(2, 256, 3)')(code)

    return run


def lacks_weights(code: str) -> None:
    """It gets as far as the published weights."""
    with pytest.raises(MissingFileError, match='does not exist'):
        runs('import torch', 'from point_peft.apis import init_model', 'points = torch.rand(2, 1024, 3)')(
            code
        )


def adapter_of_another(code: str) -> None:
    """It runs where there is a second adapter, and reports the size that the page has."""
    before = (
        'from point_peft.apis import get_peft_model, init_model, save_adapter',
        "other = get_peft_model(init_model('full/pointmae_mini_shapes'), 'lora', rank=4, head=dict(num_classes=3))",
        "save_adapter(other, 'adapters/lamps', classes=['a', 'b', 'c'])",
    )
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        runs(*before)(code)
    (counts,) = [line for line in printed.getvalue().splitlines() if line.startswith('trainable params')]
    assert f'# {counts}' in code


def pictures(code: str) -> None:
    """It writes what it says."""
    runs()(code)
    assert all(Path('work_dirs', name).stat().st_size > 1000 for name in ('room.png', 'room.html'))


OUTLINE = 'an outline: what stands for `...` is left out, which is no Python'
BLOCKS: tuple[tuple[str, str, Callable[[str], None] | str], ...] = (
    ('README.md', 'init_model', 'tests/test_docs/test_readme.py::test_example'),
    ('docs/python.md', '', 'tests/test_docs/test_python.py::test_page'),
    ('docs/tutorial_new_backbone.md', '', 'tests/test_docs/test_tutorial_backbone.py::test_both_trainings'),
    ('docs/tutorial_new_dataset_and_task.md', '', 'tests/test_docs/test_tutorial.py::test_both_parts'),
    ('projects/point_peft/README.md', '', 'tests/test_docs/test_package_readme.py::test_method'),
    ('docs/adapters.md', 'print_trainable_parameters(model)', adapter_of_another),
    ('docs/adapters.md', 'timm.create_model', runs('import timm_stand_in as timm')),
    (
        'docs/checkpoints.md',
        'epoch_20.pth',
        trained('point_peft/pointmae_mini_shapes', 'work_dirs/x/epoch_20.pth'),
    ),
    (
        'docs/compile_and_export.md',
        'torch.compile',
        'tests/test_backbones/test_compile.py::test_default_backend',
    ),
    ('docs/compile_and_export.md', 'torch.export', 'tests/test_deployment/test_export.py::test_tool'),
    ('docs/configs.md', "task='scanobjnn'", as_config()),
    ('docs/configs.md', "method='my_method.py'", as_config()),
    ('docs/configs.md', "type='PointClassifier'", OUTLINE),
    ('docs/datasets.md', 'data_preprocessor', as_config(SHAPES)),
    ('docs/datasets.md', "type='FewShot", as_config(SHAPES)),
    ('docs/datasets.md', "task='folder'", as_config()),
    ('docs/detection.md', "type='mmdet3d.VoteNet'", OUTLINE),
    ('docs/detection.md', 'NormalizePointsColor', as_config()),
    ('docs/detection.md', 'mmdet3d.apis', 'tests/test_detection/test_pictures.py::test_browse'),
    ('docs/experiments.md', 'FewLabels', as_config(SHAPES)),
    ('docs/few_shot.md', 'my_objects', as_config(SCANS)),
    ('docs/methods/bitfit.md', 'SelectiveTuning', as_config(f'{SHAPES}tuning = ')),
    ('docs/methods/folding.md', 'init_model', lacks_weights),
    ('docs/methods/folding.md', 'weight_changes', 'tests/test_methods/test_folding.py::test_of_ones_own'),
    ('docs/paper_vs_release.md', 'init_model', lacks_weights),
    ('docs/visualization.md', 'ShowHook', as_config(SHAPES)),
    ('docs/visualization.md', 'plot_shown', pictures),
)
"""Page, words by which a block of it is known, and what is done with it: a function, or the test that runs it."""

PYTHON = [(page.relative_to(ROOT).as_posix(), code) for page in PAGES for code in code_blocks(page, 'python')]


def way_of(page: str, code: str) -> Callable[[str], None] | str:
    """What is done with a block."""
    ways = [way for named, words, way in BLOCKS if named == page and words in code]
    assert len(ways) == 1, (
        f'{page} has a block that tests/test_docs/test_python_blocks.py sorts {len(ways)} times:\n{code}'
    )
    return ways[0]


@pytest.mark.parametrize(
    ('page', 'code'), PYTHON, ids=[f'{page}-{number}' for number, (page, _) in enumerate(PYTHON)]
)
def test_block(page: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    way = way_of(page, code)
    if isinstance(way, str):
        assert way == OUTLINE or has_test(way), f'{way}, which is to run a block of {page}, is gone'
        return
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, 'timm', timm_stand_in)
    for name in ('configs', 'checkpoints'):
        (tmp_path / name).symlink_to(ROOT / name)
    way(code)
