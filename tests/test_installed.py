"""The package without its repository: a wheel that is built from the sdist, in a directory of its own."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = (
    'projects',
    'configs',
    'tools',
    'checkpoints',
    'docs',
    'requirements',
    'README.md',
    'LICENSE',
    'CHANGELOG.md',
    'CITATION.cff',
    'CONTRIBUTING.md',
    'MANIFEST.in',
    'model-index.yml',
    'pyproject.toml',
    'setup.py',
)
SHIPPED = (
    'configs/_base_/backbones/pointmae_mini.py',
    'tools/train.py',
    'checkpoints/pointmae_mini.safetensors',
)
WITHOUT_PACKAGES = ('pip', '--disable-pip-version-check', '--no-input')


def run(*command: object, cwd: Path, **variables: str) -> str:
    """Output of a command that succeeds."""
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env={**os.environ, 'OMP_NUM_THREADS': '1', **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope='module')
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A source distribution, made beside a file of weights and a stale file that are nobody else's business."""
    copy = tmp_path_factory.mktemp('repository')
    for name in SOURCES:
        if (ROOT / name).is_dir():
            left_out = shutil.ignore_patterns('__pycache__', '*.egg-info')
            shutil.copytree(ROOT / name, copy / name, ignore=left_out)
        else:
            shutil.copy(ROOT / name, copy)
    (copy / 'checkpoints/own.pth').write_bytes(b'own')
    (copy / 'build/lib/point_peft').mkdir(parents=True)
    (copy / 'build/lib/point_peft/stale.py').touch()
    program = 'import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])'
    run(sys.executable, '-c', program, copy / 'dist', cwd=copy)
    (path,) = (copy / 'dist').iterdir()
    return path


@pytest.fixture(scope='module')
def wheel(sdist: Path) -> Path:
    """A wheel, made of what the source distribution has."""
    options = ['--no-deps', '--no-build-isolation', '--no-index', '-w', sdist.parent / 'wheel']
    run(sys.executable, '-m', *WITHOUT_PACKAGES, 'wheel', *options, sdist, cwd=sdist.parent)
    (path,) = (sdist.parent / 'wheel').iterdir()
    return path


def test_content(sdist: Path, wheel: Path) -> None:
    """All files of configs and tools, the shipped weights, nothing else that lies beside them."""
    with tarfile.open(sdist) as archive:
        names = [name.partition('/')[2] for name in archive.getnames()]
    assert {*SHIPPED, 'docs/install.md', 'requirements/runtime.txt', 'LICENSE'} <= set(names)
    with zipfile.ZipFile(wheel) as archive:
        files = archive.namelist()
        shipped = {name.removeprefix('point_peft/.mim/') for name in files if '/.mim/' in name}
        for name in shipped:
            assert archive.read(f'point_peft/.mim/{name}') == (ROOT / name).read_bytes()
    kernels = {f'point_peft/ops/{file.name}' for file in (ROOT / 'projects/point_peft/ops').glob('*.[ch]')}
    assert kernels and kernels <= set(files)
    folders = [ROOT / 'configs', ROOT / 'tools']
    wanted = {str(file.relative_to(ROOT)) for folder in folders for file in folder.rglob('*.py')}
    assert {*wanted, *SHIPPED, 'model-index.yml'} <= shipped
    assert not [name for name in (*names, *files) if name.endswith(('own.pth', 'stale.py', '.pyc'))]


class Installation:
    """The wheel in a directory.

    Args:
        path (Path): The directory.
        home (Path): Where commands run.
    """

    def __init__(self, path: Path, home: Path) -> None:
        self.path, self.home = path, home

    def __call__(self, *command: object) -> str:
        """Output of ``point-peft`` with these arguments."""
        return self.python(self.path / 'bin/point-peft', *command)

    def python(self, *arguments: object) -> str:
        """Output of an interpreter that finds this installation before any other."""
        return run(sys.executable, *arguments, cwd=self.home, PYTHONPATH=str(self.path))


@pytest.fixture(scope='module')
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The wheel, installed."""
    target, home = tmp_path_factory.mktemp('site'), tmp_path_factory.mktemp('home')
    options = ['--no-deps', '--no-index', '--no-compile', '--target', target]
    run(sys.executable, '-m', *WITHOUT_PACKAGES, 'install', '-q', *options, wheel, cwd=home)
    return Installation(target, home)


def write_clouds(root: Path, classes: Sequence[str], count: int) -> None:
    """Boxes of another shape in every class, in files of several kinds."""
    rng = np.random.default_rng(0)
    for number, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for index in range(count):
            cloud = (rng.random((300, 3)) - 0.5) * [1, 1, 1 + 3 * number]
            if index % 2:
                np.save(root / name / f'{index}.npy', cloud.astype('float32'))
            else:
                np.savetxt(root / name / f'{index}.xyz', cloud)


def test_from_a_folder_to_predictions(installed: Installation) -> None:
    """Names, configs and weights are found from another directory, and a run leaves nothing bound to a place."""
    write_clouds(installed.home / 'clouds', ['flat', 'long'], 10)
    where = 'import json, point_peft.io.shipped as s; print(json.dumps([s.__file__, str(s.ROOT)]))'
    assert all(str(installed.path) in place for place in json.loads(installed.python('-c', where)))
    chosen = ['--method', 'linear_probe', '--backbone', 'pointmae_mini', '--task', 'folder', '--names']
    assert installed('list', *chosen) == 'linear_probe/pointmae_mini_folder\n'

    short = ['--cfg-options', 'train_cfg.max_epochs=1', 'train_dataloader.num_workers=0']
    given = ['--data', 'clouds', '--work-dir', 'run', *short]
    assert 'to use it: point-peft infer ' in installed('train', 'linear_probe/pointmae_mini_folder', *given)
    (checkpoint,) = (installed.home / 'run').glob('epoch_*.pth')
    texts = [path.read_text() for path in (installed.home / 'run').rglob('*.py')]
    assert texts and all('checkpoints/pointmae_mini.safetensors' in text for text in texts)
    assert not [text for text in texts if str(installed.path) in text or str(ROOT) in text]

    elsewhere = installed.home / 'elsewhere'
    elsewhere.mkdir()
    Installation(installed.path, elsewhere)('infer', checkpoint, '../clouds', '--out', 'predictions.csv')
    with open(elsewhere / 'predictions.csv', newline='') as file:
        assert len(list(csv.DictReader(file))) == 20
