"""GFT: graph features of the embedded tokens, to which deeper tokens attend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..backbones import PointBackbone
from ..io.errors import InvalidValueError
from ..ops import attend
from ..registry import MODELS
from .base import TuningMethod
from .context import Inserted, TuningContext
from .edge_conv import EdgeConvStack


@MODELS.register_module()
class GFT(TuningMethod):
    """Graph features tuning (Dhakal et al., WACV 2026, arXiv 2511.10799).

    Prompts without positions stand in the sequence from the first block to the head. Edge convolutions among prefix
    tokens, prompts and patch tokens, as they enter the first block without positions, give graph features g of all of
    them. Behind some blocks every token x attends to these: ``x += gelu(W attention(norm(x), norm(g)))``. A fresh GFT
    changes the tokens, as published.

    Constants are those of the published configs. The published method trains the class token and the first half of what
    embeds groups, too; that is :class:`SelectiveTuning`.

    Args:
        num_tokens (int): Prompts T.
        num_neighbors (int): Neighbours of the edge convolutions in feature space.
        edge_dims (Sequence[int]): Dimensions of the edge convolutions, in order.
        graph_dim (int): Dimension of the graph features.
        attn_dim (int): Width of queries, keys and values over all heads.
        num_heads (int): Attention heads; must divide ``attn_dim``.
        layers (Sequence[int] | None): Blocks behind which tokens attend; None means every third, from the first on (0,
            3, 6, 9 of 12).
    """

    def __init__(
        self,
        num_tokens: int = 50,
        *,
        num_neighbors: int = 20,
        edge_dims: Sequence[int] = (64, 64, 64, 64),
        graph_dim: int = 256,
        attn_dim: int = 32,
        num_heads: int = 1,
        layers: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        if num_tokens < 1:
            raise InvalidValueError(f'GFT num_tokens={num_tokens}, but there must be at least one prompt.')
        if attn_dim % num_heads:
            raise InvalidValueError(
                f'GFT num_heads={num_heads} does not divide attn_dim={attn_dim}; choose a divisor.'
            )
        self.num_kept_tokens, self.num_neighbors = num_tokens, num_neighbors
        self.edge_dims, self.graph_dim = tuple(edge_dims), graph_dim
        self.attn_dim, self.num_heads, self.chosen = attn_dim, num_heads, layers

    def setup(self, backbone: PointBackbone) -> None:
        """Create prompts, edge convolutions and attentions.

        Raises:
            ValueError: If ``layers`` names no block, one twice or one that does not exist.
        """
        depth, dim = len(backbone.layers), backbone.layer_dims[0]
        layers = list(range(0, depth, 3) if self.chosen is None else self.chosen)
        if not layers or len(set(layers)) < len(layers) or not set(layers) <= set(range(depth)):
            raise InvalidValueError(
                f'GFT layers={self.chosen} must name blocks, each once, but the backbone has blocks 0 to {depth - 1}.'
            )
        self.prompts = nn.Parameter(torch.randn(1, self.num_kept_tokens, dim))
        self.graph = EdgeConvStack(dim, self.edge_dims, self.graph_dim, num_neighbors=self.num_neighbors)
        self.numbers = {layer: number for number, layer in enumerate(layers)}
        self.readers = nn.ModuleList(
            GraphAttention(backbone.layer_dims[layer], self.graph_dim, self.attn_dim, self.num_heads)
            for layer in layers
        )
        self.prefix_tokens: Callable[[], Tensor] = backbone.prefix_tokens

    def attach(self, backbone: PointBackbone) -> None:
        """Let prefix and patch tokens attend behind the chosen blocks."""
        for layer in self.numbers:
            self.on_output(backbone.layers[layer], self._read(layer))

    def begin(self, context: TuningContext) -> Tensor:
        """The graph features (B, P+T+G, graph_dim), in full precision: rounded features have other neighbours.

        Raises:
            ValueError: If there are fewer tokens than neighbours.
        """
        patches = context.tokens.features
        own = [part.expand(patches.shape[0], -1, -1) for part in (self.prefix_tokens(), self.prompts)]
        with torch.autocast(patches.device.type, enabled=False):
            return self.graph(torch.cat([*own, patches], dim=1))

    def tokens_before(self, layer: int, x: Tensor) -> Inserted | None:
        """The prompts, once."""
        return Inserted(self.prompts, stay=True) if layer == 0 else None

    def tokens_behind(self, layer: int, tokens: Tensor) -> Tensor:
        """Let the prompts attend behind the chosen blocks."""
        return self._reader(layer)(tokens, self.state) if layer in self.numbers else tokens

    def _read(self, layer: int) -> Callable[[Tensor, Tensor], Tensor]:
        reader = self._reader(layer)
        return lambda _, x: reader(x, self.state)

    def _reader(self, layer: int) -> GraphAttention:
        return cast(GraphAttention, self.readers[self.numbers[layer]])


class GraphAttention(nn.Module):
    """Narrow cross-attention from tokens to graph features, behind a residual connection.

    (The published code has a further layer norm, which it never applies.)

    Args:
        dim (int): Token dimension C.
        graph_dim (int): Dimension of the graph features.
        attn_dim (int): Width of queries, keys and values over all heads.
        num_heads (int): Attention heads.
    """

    def __init__(self, dim: int, graph_dim: int, attn_dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.token_norm, self.graph_norm = nn.LayerNorm(dim), nn.LayerNorm(graph_dim)
        self.query = nn.Linear(dim, attn_dim, bias=False)
        self.key = nn.Linear(graph_dim, attn_dim, bias=False)
        self.value = nn.Linear(graph_dim, attn_dim, bias=False)
        self.proj = nn.Linear(attn_dim, dim)

    def forward(self, x: Tensor, graph: Tensor) -> Tensor:
        """Let tokens (B, L, C) attend to graph features (B, M, graph_dim); (B, L, C)."""
        graph = self.graph_norm(graph)
        found = attend(
            *(
                self._by_head(part)
                for part in (self.query(self.token_norm(x)), self.key(graph), self.value(graph))
            )
        )  # (B, heads, L, d)
        return x + F.gelu(self.proj(found.transpose(1, 2).flatten(2)))

    def _by_head(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
