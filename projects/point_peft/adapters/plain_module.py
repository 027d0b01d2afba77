"""Where adapters act in a module of any package: at sites of its blocks, by their names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from torch import Tensor, nn

from ..methods import TuningMethod
from .errors import AdapterError, PlainModuleError

CHILD = 'peft'
"""Name in the module of what tunes it."""

ON_CLOUDS = ('transform_points', 'begin', 'transform_tokens', 'finish')
"""What methods do to a point cloud, its tokens or its features, rather than at sites."""


@dataclass(frozen=True)
class NamedSites:
    """What a plain module has to say of itself, so that tuning methods can act on it.

    Attributes:
        blocks (str): Path of the list of its blocks, such as ``encoder.layers``.
        names (Mapping[str, str]): Sites by name, and the path of each in a block: ``{'mlp.fc1': 'linear1'}``. Paths
            that all blocks have are sites by themselves, and need no name.
        final_norm (str): Path of the norm after the last block; needed only by what trains it.
        width (int | None): Dimension of the tokens; None means that of the blocks' first layer norm.
        num_prefix_tokens (int): Class tokens in front of the sequence; needed by prompts, which stand behind them.
    """

    blocks: str
    names: Mapping[str, str] = field(default_factory=dict)
    final_norm: str = ''
    width: int | None = None
    num_prefix_tokens: int = 0

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


class PlainNetwork:
    """A plain module as tuning methods see a backbone; what it cannot say is refused in a sentence.

    It is no module itself, so that the network is not a part of what tunes it.

    Args:
        network (nn.Module): The module.
        sites (NamedSites): Where methods may act.
        excluded (Sequence[str]): Paths of modules that are trained as a whole.

    Raises:
        AdapterError: There are no such blocks, or no such sites.
    """

    prefix_is_pretrained = True
    checkpoint = None
    num_kept_tokens = 0

    def __init__(self, network: nn.Module, sites: NamedSites, excluded: Sequence[str] = ()) -> None:
        self.network, self.named, self.excluded = network, sites, (CHILD, *excluded)
        self.layers = self._blocks()
        self.num_prefix_tokens = sites.num_prefix_tokens
        self.block_sites = self._sites()
        self.layer_stages = [0] * len(self.layers)
        self.pretrained_names = list(self.state_dict())

    def __getattr__(self, name: str) -> Any:
        """Refuse what is not there."""
        if name.startswith('__'):
            raise AttributeError(name)
        raise PlainModuleError(
            f'the tuning method asks for {name}, which only a backbone of this project has and no plain module; use a '
            'method that acts at sites, as changes of weights and bottlenecks do.'
        )

    @property
    def layer_dims(self) -> list[int]:
        """Dimension of the tokens in every block.

        Raises:
            AdapterError: Nobody says it.
        """
        return [self._width(block) for block in self.layers]

    @property
    def embed_dim(self) -> int:
        """Dimension of the tokens behind the last block."""
        return self.layer_dims[-1]

    def require_sites(self, names: Sequence[str], *, for_whom: str) -> None:
        """Check that the blocks have what somebody acts on.

        Raises:
            AdapterError: Names the first that is missing.
        """
        for name in names:
            if name not in self.block_sites:
                raise AdapterError(
                    f'{for_whom} acts on {name!r}, but the blocks of {type(self.network).__name__} have no such site; '
                    f'they have {", ".join(self.block_sites)}. Give sites names with '
                    f"NamedSites(names={{{name!r}: '...'}}), or the method other sites."
                )

    def sites(self, name: str) -> list[nn.Module]:
        """The modules of every block at a site.

        Raises:
            AdapterError: There is none, or torch never calls it.
        """
        self.require_sites((name,), for_whom='a tuning method')
        path = self.block_sites[name]
        for block in self.layers:
            above = block.get_submodule(path.rpartition('.')[0])
            if path and isinstance(above, nn.MultiheadAttention):
                raise AdapterError(
                    f'site {name!r} is inside a torch.nn.MultiheadAttention, which uses its weights without calling '
                    'it, so nothing can act there; choose another site.'
                )
        return [block.get_submodule(path) for block in self.layers]

    def final_norm(self) -> nn.Module:
        """The norm after the last block.

        Raises:
            AdapterError: Nobody says which it is.
        """
        if not self.named.final_norm:
            raise AdapterError(
                'a tuning method trains the norm after the last block; say which it is with '
                "NamedSites(final_norm='...'), or set final_norm=False."
            )
        return self.get_submodule(self.named.final_norm)

    def prefix_parameters(self) -> list[str]:
        """None: the class token of a plain module, if it has one, is pre-trained."""
        return []

    def named_modules(self) -> Iterator[tuple[str, nn.Module]]:
        """Modules of the network by name."""
        return ((name, m) for name, m in self.network.named_modules() if not self._is_excluded(name))

    def modules(self) -> Iterator[nn.Module]:
        """Modules of the network."""
        return (module for _, module in self.named_modules())

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Parameters of the network by name."""
        return ((name, p) for name, p in self.network.named_parameters() if not self._is_excluded(name))

    def parameters(self) -> Iterator[nn.Parameter]:
        """Parameters of the network."""
        return (parameter for _, parameter in self.named_parameters())

    def state_dict(self) -> dict[str, Tensor]:
        """The tensors of the network."""
        state = self.network.state_dict()
        return {name: value for name, value in state.items() if not self._is_excluded(name)}

    def base_state(self) -> dict[str, Tensor]:
        """All of them, as pre-trained while nothing acts."""
        return self.state_dict()

    def get_parameter(self, name: str) -> nn.Parameter:
        """A parameter by name."""
        return self.network.get_parameter(name)

    def get_submodule(self, name: str) -> nn.Module:
        """A module by name."""
        return self.network.get_submodule(name)

    def requires_grad_(self, requires_grad: bool = True) -> PlainNetwork:
        """Freeze or train everything."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def _is_excluded(self, name: str) -> bool:
        return any(f'{name}.'.startswith(f'{path}.') for path in self.excluded)

    def _blocks(self) -> list[nn.Module]:
        try:
            found = self.network.get_submodule(self.named.blocks)
        except AttributeError as error:
            raise AdapterError(
                f'{type(self.network).__name__} has no module {self.named.blocks!r}; give the path of the list of its '
                "blocks, NamedSites(blocks='...')."
            ) from error
        blocks = list(found.children())
        if not isinstance(found, (nn.ModuleList, nn.Sequential)) or not blocks:
            raise AdapterError(
                f'{self.named.blocks!r} is a {type(found).__name__} with {len(blocks)} modules, but should be the list '
                'of the blocks.'
            )
        return blocks

    def _sites(self) -> dict[str, str]:
        """Sites by name: all paths that every block has, and those that were given names."""
        paths = [dict(block.named_modules()) for block in self.layers]
        common = {path or 'block': path for path in paths[0] if all(path in other for other in paths)}
        missing = [path for path in self.named.names.values() if path and path not in common]
        if missing:
            raise AdapterError(f'not every block has {missing[0]!r}; they all have {", ".join(common)}.')
        return common | dict(self.named.names)

    def _width(self, block: nn.Module) -> int:
        norm = next((module for module in block.modules() if isinstance(module, nn.LayerNorm)), None)
        if self.named.width is not None:
            return self.named.width
        if norm is None:
            raise AdapterError(
                'the blocks have no layer norm; say the width of the tokens with NamedSites(width=...).'
            )
        return int(norm.normalized_shape[-1])


def refuse_methods_on_clouds(kinds: Sequence[type[TuningMethod]]) -> None:
    """Refuse types of methods that need point clouds.

    Raises:
        PlainModuleError: Names the first one.
    """
    for kind in kinds:
        needs = [name for name in ON_CLOUDS if getattr(kind, name) is not getattr(TuningMethod, name)]
        if needs:
            raise PlainModuleError(
                f'{kind.__name__} works on point clouds and their tokens ({needs[0]}), which a plain module has none '
                'of; use a backbone of this project, or a method that acts at sites.'
            )
