"""Packages that only some configs need: those of the detection tier."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ...io.errors import PointPEFTError
from . import DATALOADERS, walk_dicts

INSTALL = 'bash tools/setup_env.sh runtime detection'
"""Command that installs the tier (docs/install.md)."""

DETECTION_TIER = frozenset(('mmcv', 'mmdet', 'mmdet3d'))
"""Scopes whose packages the tier installs."""

NEEDED = ('mmcv.ops', 'mmdet3d.registry')
"""Modules that must be importable."""

OURS = 'point_peft.detection'
"""What this project adds to them; never imported without them."""

SECTIONS = (
    'model',
    *DATALOADERS,
    'val_evaluator',
    'test_evaluator',
    'default_hooks',
    'custom_hooks',
    'visualizer',
)
"""Sections that are built; variables of a config file may name packages that nothing uses."""


class MissingTierError(PointPEFTError):
    """A config needs packages that are not installed, or not in versions that go together."""


def check_tiers(cfg: Any) -> None:
    """Import the packages of the detection tier, and what is ours for them, if a config names anything of them.

    Args:
        cfg (Config): The config, without the sections that will not be used.

    Raises:
        MissingTierError: A package is missing, or its version does not fit; says how to install the tier.
    """
    for name in SECTIONS:
        for place, node in walk_dicts(cfg.get(name), name):
            if not DETECTION_TIER.isdisjoint(_scopes(node)):
                _import_detection_tier(f'{node.get("type")} ({place})')
                return


def _import_detection_tier(needed_by: str) -> None:
    """Import what the tier consists of."""
    for module in NEEDED:
        try:
            import_module(module)
        except (ImportError, AssertionError) as error:  # mmdet3d asserts the versions of the others
            raise MissingTierError(
                f'{needed_by} needs the detection tier, which is not installed or not complete '
                f'({_one_line(error)}); install it with: {INSTALL}'
            ) from error
    import_module(OURS)


def _scopes(node: Any) -> set[str | None]:
    """Packages that a dict of the config names."""
    kind = node.get('type')
    return {kind.partition('.')[0] if isinstance(kind, str) and '.' in kind else None, node.get('_scope_')}


def _one_line(error: BaseException) -> str:
    """What an error says, without line breaks."""
    return ' '.join(str(error).split()) or type(error).__name__
