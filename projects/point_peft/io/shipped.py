"""The files that the project ships beside its code: configs, tools, and the weights of the mini backbone.

They lie in the repository, in directories of its root, and in an installed package below ``point_peft/.mim``, where
OpenMMLab's packages have theirs. A path such as ``checkpoints/pointmae_mini.safetensors`` in a config stays as it is
written, whatever is read or saved, and is looked up when the file is opened: so a config says the same on any machine.
"""

from __future__ import annotations

from pathlib import Path

from .addresses import fetch, is_address

MIM = '.mim'
"""Directory of the installed package for what is not code."""

WEIGHTS = 'checkpoints'


def shipped_root(package: Path) -> Path:
    """Where configs, tools and weights are.

    Args:
        package (Path): Directory of the package; a wheel has them in it, a repository two levels above.
    """
    inside = package / MIM
    return inside if inside.is_dir() else package.parents[1]


ROOT = shipped_root(Path(__file__).resolve().parents[1])
CONFIGS = ROOT / 'configs'
TOOLS = ROOT / 'tools'

COMMANDS = {
    'list_configs': 'list',
    'browse_dataset': 'browse',
    'build_memory_bank': 'bank',
    'convert_official': 'convert',
    'experiments/run': 'experiment',
}
"""Tools whose command of ``point-peft`` has another name than their file."""


def command_of(tool: Path) -> str:
    """The command of ``point-peft`` that runs a tool."""
    names = tool.stem, f'{tool.parent.name}/{tool.stem}'
    return next((COMMANDS[name] for name in names if name in COMMANDS), tool.stem.replace('_', '-'))


def call_of(tool: str) -> str:
    """How a user runs a tool: by its file in a repository, by its command where the package is installed.

    Args:
        tool (str): Its path in ``tools``, such as ``misc/print_config.py``.
    """
    return f'point-peft {command_of(Path(tool))}' if ROOT.name == MIM else f'python tools/{tool}'


def find_weights(path: str | Path) -> Path:
    """Where a file of weights is: below the working directory or, without one there, among those that are shipped.

    Args:
        path (str | Path): Any path; ``~`` is the home directory. Only ``checkpoints/NAME`` can be a shipped file. An
            address is fetched (:mod:`~point_peft.io.addresses`).

    Returns:
        Path: The path itself if it exists, or if no such file is shipped either.

    Raises:
        CheckpointError: What is at an address cannot be fetched, or has another hash.
    """
    if is_address(path):
        return fetch(str(path))
    given = Path(path).expanduser()
    shipped = ROOT / given
    is_shipped = given.parts[:1] == (WEIGHTS,) and len(given.parts) == 2 and shipped.is_file()
    return shipped if is_shipped and not given.exists() else given
