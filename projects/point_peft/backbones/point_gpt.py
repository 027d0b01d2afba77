"""PointGPT (Chen et al., NeurIPS 2023, arXiv 2305.11487): an autoregressive transformer over a sequence of groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..ops import greedy_order, group
from ..registry import MODELS
from ..structures import BackboneFeatures, PointTokens
from .base import PointBackbone
from .layers import CausalStack, PatchEmbed, causal_mask, sine_position
from .layers.init import init_transformer


@MODELS.register_module()
class PointGPT(PointBackbone):
    """The PointGPT extractor as it is fine-tuned: ``[start | class token | groups]``, each seeing those before it.

    Groups are put in a row from neighbour to neighbour. As published, the class token stands in front of the groups, so
    it sees the start token only (and prompts), and positions are sine waves of one frequency.

    Of a pre-training checkpoint the ``GPT_Transformer.`` part is used. Tensor names are the official ones but for the
    modules that every block must have (``checkpoint_renames``). ``blocks.increase_dim`` exists in published files but
    takes no part. Of the two norms ``norm`` is for hidden features, ``blocks.ln_f`` for all else, and the one that the
    task has no use for takes no part either. They are kept, untrained, so that a file's tensors all have a place.

    Args:
        embed_dim (int): Token dimension C: 384 (S), 768 (B), 1024 (L).
        depth (int): Number of blocks: 12, 12, 24.
        num_heads (int): Attention heads: 6, 12, 16.
        num_groups (int): Groups (tokens) G per cloud.
        group_size (int): Points K per group.
        patch_dims (Sequence[int]): Widths of the patch embedding; (256, 512, 1024, 2048) for B and L.
        drop_path_rate (float): Stochastic-depth rate of the last block; 0 in classification.
        hidden_norm (bool): Whether hidden features alone are used, as in part segmentation; ``norm`` is then trained
            and the final norm, in place of ``blocks.ln_f``.
        decoder_layers (Sequence[Sequence[int]] | None): As of :class:`PointBackbone`.
        init_cfg (dict | None): ``dict(type='Pretrained', checkpoint=...)`` or None.
    """

    num_prefix_tokens = 2
    checkpoint_prefixes = ('GPT_Transformer.',)
    checkpoint_renames = (
        (r'\.ln_([12])\.', r'.norm\1.'),
        (r'\.attn\.in_proj_(weight|bias)$', r'.attn.qkv.\1'),
        (r'\.attn\.out_proj\.', '.attn.proj.'),
        (r'\.mlp\.0\.', '.mlp.fc1.'),
        (r'\.mlp\.2\.', '.mlp.fc2.'),
    )

    checkpoint_optional = (r'norm\.',)

    def __init__(
        self,
        *,
        embed_dim: int = 384,
        depth: int = 12,
        num_heads: int = 6,
        num_groups: int = 128,
        group_size: int = 32,
        patch_dims: Sequence[int] = (128, 256, 512),
        drop_path_rate: float = 0.0,
        hidden_norm: bool = False,
        decoder_layers: Sequence[Sequence[int]] | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg, decoder_layers=decoder_layers)
        self.embed_dim, self.num_groups, self.group_size = embed_dim, num_groups, group_size
        self.encoder = PatchEmbed(embed_dim, hidden_dims=patch_dims)
        self.blocks = CausalStack(
            embed_dim, depth=depth, num_heads=num_heads, group_size=group_size, drop_path_rate=drop_path_rate
        )
        self.hidden_norm = hidden_norm
        self.blocks.increase_dim.requires_grad_(False)
        self.blocks.ln_f.requires_grad_(not hidden_norm)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, embed_dim))
        self.cls_pos = nn.Parameter(torch.zeros(1, 1, embed_dim))
        self.sos_pos = nn.Parameter(torch.zeros(1, 1, embed_dim))
        self.norm = nn.LayerNorm(embed_dim).requires_grad_(hidden_norm)
        init_transformer(self)

    @property
    def layers(self) -> Sequence[nn.Module]:
        """Transformer blocks in order."""
        return list(self.blocks.layers)

    def embed_groups(self, neighborhoods: Tensor) -> Tensor:
        """Embed groups (B, G, K, 3) as (B, G, C)."""
        return self.encoder(neighborhoods)

    def embed_positions(self, centers: Tensor, stage: int = 0) -> Tensor:
        """Positions (B, G, C) of centers (B, G, 3)."""
        return sine_position(centers, self.embed_dim)

    def prefix_tokens(self) -> Tensor:
        """Start and class token (1, 2, C) without positions."""
        return torch.cat([self.blocks.sos.expand(1, 1, -1), self.cls_token], dim=1)

    def embed(self, points: Tensor) -> PointTokens:
        """Group clouds (B, N, 3), embed each group, and put them in a row.

        Raises:
            ValueError: If a cloud has fewer points than ``num_groups`` or ``group_size``.
        """
        groups = group(points, self.num_groups, self.group_size)
        return in_a_row(
            PointTokens(
                self.embed_groups(groups.neighborhoods), *groups[:3], neighbor_index=groups.neighbor_index
            )
        )

    def encode(self, tokens: PointTokens, *, hidden_layers: Sequence[int] = ()) -> BackboneFeatures:
        """Run the blocks over ``[start | class token | patch tokens]``, causally.

        Args:
            tokens (PointTokens): G embedded groups in a row.
            hidden_layers (Sequence[int]): Blocks whose output patch tokens the head needs.

        Returns:
            BackboneFeatures: Normed tokens, in ``hidden`` by a norm of their own.
        """
        batch, prefix = tokens.features.shape[0], self.num_prefix_tokens
        start, cls = self.blocks.sos.expand(batch, 1, -1), self.cls_token.expand(batch, -1, -1)
        x = torch.cat([start, cls, tokens.features], dim=1)  # (B, 2+G, C)
        # As published, the start token has the class token's position, and the class token the start's.
        pos = [self.cls_pos.expand(batch, -1, -1), self.sos_pos.expand(batch, -1, -1)]
        pos.append(sine_position(tokens.centers, self.embed_dim))
        x, hidden = self._run(x, torch.cat(pos, dim=1), prefix, hidden_layers)
        return BackboneFeatures(
            patches=x[:, prefix:], tokens=tokens, prefix=x[:, :prefix], class_index=1, hidden=hidden
        )

    def summarize(self, tokens: PointTokens, *, num_layers: int | None = None) -> Tensor:
        """Maximum over the normed patch tokens (B, C), after the start token and without class token.

        Args:
            tokens (PointTokens): G embedded groups; pre-training used 64.
            num_layers (int | None): Blocks that run before the norm; None means all.
        """
        if tokens.sampling_rank is None:
            tokens = in_a_row(tokens)
        batch = tokens.features.shape[0]
        x = torch.cat([self.blocks.sos.expand(batch, 1, -1), tokens.features], dim=1)  # (B, 1+G, C)
        pos = sine_position(tokens.centers, self.embed_dim)
        x, _ = self._run(
            x, torch.cat([self.sos_pos.expand(batch, -1, -1), pos], dim=1), num_layers=num_layers
        )
        return x[:, 1:].amax(dim=1)

    def prefix_parameters(self) -> list[str]:
        """The class token and its position; neither is pre-trained."""
        return ['cls_token', 'cls_pos']

    def final_norm(self) -> nn.LayerNorm:
        """The norm after the last block, or that of hidden features where these are what is used."""
        return self.norm if self.hidden_norm else self.blocks.ln_f

    def _run(
        self,
        x: Tensor,
        pos: Tensor,
        prefix: int = 0,
        hidden_layers: Sequence[int] = (),
        num_layers: int | None = None,
    ) -> tuple[Tensor, dict[int, Tensor]]:
        """Run the first blocks on a sequence (B, L, C); normed tokens, and patch tokens after some blocks."""
        mask = causal_mask(x.shape[1], x.device)
        hidden = {}
        for index, block in enumerate(self.layers[:num_layers]):
            x = block(x + pos, mask)
            if index in hidden_layers:
                hidden[index] = self.norm(x[:, prefix:])
        return self.blocks.ln_f(x), hidden


def in_a_row(tokens: PointTokens) -> PointTokens:
    """Tokens from neighbour to neighbour: after each comes the nearest that has not been visited."""
    order = greedy_order(tokens.centers)  # (B, G)
    return tokens.reorder(order, sampling_rank=order)
