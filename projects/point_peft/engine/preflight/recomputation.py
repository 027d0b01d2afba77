"""Looking at what ``activation_checkpointing`` names before a training begins."""

from __future__ import annotations

from collections.abc import Sequence

from mmengine.runner import Runner
from torch import nn

from ...backbones import PointBackbone
from ...io.errors import ConfigError
from ...registry.wrappers import unwrap


def check_recomputation(runner: Runner) -> None:
    """Check that the modules that shall be recomputed in the backward are blocks, or in blocks.

    MMEngine recomputes whatever is named, which saves nothing where a module's forward is not what is called (a list of
    blocks), and takes the gradient away where the input needs none (heads and embeddings of a frozen backbone).

    Args:
        runner (Runner): A runner that is about to train.

    Raises:
        ConfigError: A name is none, or another module's.
    """
    names = runner.cfg.get('activation_checkpointing') or ()
    model = unwrap(runner.model)
    blocks = block_names(model)
    for name in [names] if isinstance(names, str) else names:
        if not any(name == block or str(name).startswith(f'{block}.') for block in blocks) or not _has(
            model, name
        ):
            example = f', such as {blocks[0]!r}' if blocks else ', of which this model has none'
            raise ConfigError(
                f'activation_checkpointing names {name!r}, but only transformer blocks of the backbone and modules in '
                f'them can be recomputed{example}; name these one by one.'
            )


def block_names(model: nn.Module) -> Sequence[str]:
    """Names in the model of the transformer blocks of its backbones, in order."""
    found = {
        id(block)
        for module in model.modules()
        if isinstance(module, PointBackbone)
        for block in module.layers
    }
    return [name for name, module in model.named_modules() if id(module) in found]


def _has(model: nn.Module, name: str) -> bool:
    """Whether the model has a sub-module of this name, with a forward of its own."""
    try:
        module = model.get_submodule(name)
    except AttributeError:
        return False
    return not isinstance(module, (nn.ModuleList, nn.ModuleDict, nn.ParameterList))
