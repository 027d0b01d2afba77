"""PointGST: adapters in the spectral domain of graphs of the group centers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..backbones import PointBackbone
from ..io.errors import InvalidValueError
from ..ops import gather, morton_order, squared_distance
from ..ops.interpolation import interpolate_with
from ..registry import MODELS
from .base import TuningMethod
from .context import TuningContext


@dataclass(frozen=True)
class SpectralBasis:
    """Eigenvectors of the graphs of one stage's centers.

    Attributes:
        whole (Tensor): (B, G, G) of all centers, in columns.
        local (Tensor): (B * L, S, S) of L parts of S = G / L centers that follow each other in space.
        order (Tensor): (B, G) int64, the centers part by part.
        place (Tensor): (B, G) int64, where each center is in that order.
    """

    whole: Tensor
    local: Tensor
    order: Tensor
    place: Tensor

    @classmethod
    @torch.no_grad()
    def of(cls, centers: Tensor, num_parts: int, cells_per_unit: float) -> SpectralBasis:
        """Bases of centers (B, G, 3).

        Raises:
            ValueError: If the parts would not be of one size.
        """
        if centers.shape[1] % num_parts:
            raise InvalidValueError(
                f'PointGST cannot divide {centers.shape[1]} groups into num_parts={num_parts} of one size; set a '
                'divisor.'
            )
        order = morton_order(centers, cells_per_unit)
        parts = gather(centers, order).unflatten(1, (num_parts, -1)).flatten(0, 1)  # (B*L, S, 3)
        return cls(graph_basis(centers), graph_basis(parts), order, order.argsort(dim=1))


@MODELS.register_module()
class PointGST(TuningMethod):
    """Adapt tokens in the spectral domain (Liang et al., TPAMI 2025, arXiv 2410.08114, section 4).

    Beside the feed-forward network of every block, outside of its stochastic depth, a bottleneck of the tokens that
    enter its norm is added. In it the patch tokens z become ``silu(z) + f(z; U) + f(z; U_local)`` with
    ``f(z; U) = z + U g(U^T z)``, for the eigenvectors U of the Laplacian of all centers and of parts of them. The up
    projection starts at zero.

    An eigenvector's sign is arbitrary. So ``g(c) = (h(c) - h(-c)) / 2`` with the published ``h = silu(linear(norm))``:
    as g is odd, signs cancel. Eigenvectors are computed in float64, so that they are the same in all precisions.

    Args:
        rank (int): Dimension of the bottleneck; 36 as published for ScanObjectNN.
        num_parts (int): Local graphs; published: 4, of 32 centers.
        cells_per_unit (float): Cells of the space-filling curve that orders centers into parts, per unit of the cloud;
            100 as published.

    Source: jerryfeng2003/PointGST at 054230e, ``models/PGST.py`` and ``models/PointTransformer.py``.
    """

    needed_sites = ('norm2',)
    unfoldable = 'it mixes tokens along graphs of each cloud'

    def __init__(self, rank: int = 36, *, num_parts: int = 4, cells_per_unit: float = 100.0) -> None:
        super().__init__()
        if rank < 1 or num_parts < 1:
            raise InvalidValueError(
                f'rank={rank} and num_parts={num_parts}, but PointGST needs at least 1 of each.'
            )
        self.rank, self.num_parts, self.cells_per_unit = rank, num_parts, cells_per_unit

    def setup(self, backbone: PointBackbone) -> None:
        """Create one adapter per block."""
        self.stages = list(backbone.layer_stages)
        self.adapters = nn.ModuleList(SpectralAdapter(width, self.rank) for width in backbone.layer_dims)

    def attach(self, backbone: PointBackbone) -> None:
        """Act on what enters the second norm of a block, and add to what leaves the block."""
        for layer, (norm, block) in enumerate(zip(backbone.sites('norm2'), backbone.layers)):
            self.on_input(norm, self._read(layer))
            self.on_output(block, self._add(layer))

    def begin(self, context: TuningContext) -> list[SpectralBasis]:
        """The bases of every stage."""
        return [
            SpectralBasis.of(centers, self.num_parts, self.cells_per_unit)
            for centers in context.tokens.stage_centers
        ]

    def _read(self, layer: int) -> Callable[[Tensor], Tensor]:
        def read(x: Tensor) -> Tensor:
            self._refuse_recomputed_blocks()
            basis = self.state[self.stages[layer]]
            num_patches = basis.order.shape[1]
            num_own = (
                x.shape[1] - num_patches - self.context.num_inserted(layer)
            )  # 0 in ReCon, whose prefix is apart
            own, patches = x[:, :num_own], x[:, x.shape[1] - num_patches :]
            self.hand_on(layer, self.adapters[layer](own, patches, basis))
            return x

        return read

    def _refuse_recomputed_blocks(self) -> None:
        """Refuse activation checkpointing of torch's older kind (MMEngine's) around a whole block.

        Raises:
            ValueError: What is read inside of the block would reach its end without gradient.
        """
        if self.context.with_graph and not torch.is_grad_enabled():
            raise InvalidValueError(
                'PointGST reads inside of a block what it adds behind it, which has no gradient where activation '
                "checkpointing computes the whole block again; name 'attn' and 'mlp' of the blocks in "
                'activation_checkpointing.'
            )

    def _add(self, layer: int) -> Callable[[Tensor, Tensor], Tensor]:
        def add(_: Tensor, x: Tensor) -> Tensor:
            update = self.handed_to(layer)
            before, adapted = x.tensor_split([x.shape[1] - update.shape[1]], dim=1)
            return torch.cat([before, adapted + update], dim=1)

        return add


class SpectralAdapter(nn.Module):
    """The bottleneck of a block (``PCSA``); graph and local filter share a layer, each behind a norm of its own.

    Args:
        dim (int): Token dimension C.
        rank (int): Dimension of the bottleneck r.
    """

    def __init__(self, dim: int, rank: int) -> None:
        super().__init__()
        self.down, self.act, self.up = nn.Linear(dim, rank), nn.SiLU(), nn.Linear(rank, dim)
        self.whole_norm, self.local_norm = nn.LayerNorm(rank), nn.LayerNorm(rank)
        self.filter = nn.Linear(rank, rank)
        nn.init.xavier_uniform_(self.down.weight)
        for layer in (self.filter, self.up):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, own: Tensor, patches: Tensor, basis: SpectralBasis) -> Tensor:
        """What prefix tokens (B, P, C), if any, and patch tokens (B, G, C) get, side by side: (B, P+G, C)."""
        z = self.down(patches)  # (B, G, r)
        parts = gather(z, basis.order).reshape(-1, basis.local.shape[1], z.shape[2])  # (B*L, S, r)
        local = self._filter(parts, basis.local, self.local_norm).view_as(z)
        filtered = self._filter(z, basis.whole, self.whole_norm) + gather(local, basis.place)
        return self.up(torch.cat([self.act(self.down(own)), self.act(z) + filtered], dim=1))

    def _filter(self, z: Tensor, basis: Tensor, norm: nn.Module) -> Tensor:
        """``z + U g(U^T z)`` for tokens (B, G, r) and eigenvectors (B, G, G); g is odd, so signs cancel."""
        found = interpolate_with(basis.mT, z)
        plus, minus = (self.act(self.filter(norm(signed))) for signed in (found, -found))
        return z + interpolate_with(basis, (plus - minus) / 2)


def graph_basis(centers: Tensor) -> Tensor:
    """Eigenvectors (B, G, G), in columns, of the Laplacian ``D - A`` of the complete graph of centers (B, G, 3).

    ``A = d_min / max(d, d_min)``, with d the distances of a cloud and d_min the smallest that is not zero: the
    published ``1 / (d / d_min + I)``, but that there d_min is that of the batch, and coincident centers give 1 / 0.
    """
    distance = squared_distance(centers.double(), centers.double()).sqrt()
    smallest = torch.where(distance > 0, distance, float('inf')).amin(dim=(1, 2), keepdim=True)
    smallest = torch.where(smallest.isfinite(), smallest, 1.0)  # all coincide
    adjacency = smallest / torch.maximum(distance, smallest)
    laplacian = torch.diag_embed(adjacency.sum(dim=2)) - adjacency
    return torch.linalg.eigh(laplacian).eigenvectors.to(centers.dtype)
