"""Masked autoencoding pre-training (Point-MAE, arXiv 2203.06604, section 3)."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.model import BaseModel
from torch import Tensor, nn

from ..backbones.layers import BlockStack, position_mlp
from ..backbones.layers.init import init_transformer
from ..io.errors import InvalidValueError
from ..ops import chamfer_distance, gather
from ..registry import MODELS
from ..structures import PointTokens


@MODELS.register_module()
class PointMAEPretrain(BaseModel):
    """Reconstruct the masked groups of a cloud from the visible ones.

    Tensor names are the official ones (``Point_MAE`` of the reference). ``mode='tensor'`` returns the encoder's
    global descriptor (B, C), which the Point-PEFT release queries with.

    Args:
        encoder (dict): Config of a backbone without class token.
        decoder_depth (int): Blocks of the decoder.
        decoder_num_heads (int): Attention heads of the decoder.
        drop_path_rate (float): Stochastic-depth rate of the decoder's last block.
        mask_ratio (float): Share of the groups that is masked.
        data_preprocessor (dict | None): Config of the data preprocessor.
    """

    def __init__(
        self,
        encoder: dict[str, Any],
        *,
        decoder_depth: int = 4,
        decoder_num_heads: int = 6,
        drop_path_rate: float = 0.1,
        mask_ratio: float = 0.6,
        data_preprocessor: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor)
        if not 0 < mask_ratio < 1:
            raise InvalidValueError(f'mask_ratio={mask_ratio} is outside (0, 1).')
        self.mask_ratio = mask_ratio
        self.MAE_encoder = MODELS.build(encoder)
        if int(mask_ratio * self.MAE_encoder.num_groups) < 1:
            raise InvalidValueError(
                f'mask_ratio={mask_ratio} masks none of the {self.MAE_encoder.num_groups} groups; raise it.'
            )
        dim = self.MAE_encoder.embed_dim
        self.mask_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.decoder_pos_embed = position_mlp(dim)
        self.MAE_decoder = MAEDecoder(
            dim, depth=decoder_depth, num_heads=decoder_num_heads, drop_path_rate=drop_path_rate
        )
        self.increase_dim = nn.Sequential(nn.Conv1d(dim, 3 * self.MAE_encoder.group_size, 1))
        init_transformer(self)

    def forward(
        self, inputs: dict[str, Tensor], data_samples: list | None = None, mode: str = 'tensor'
    ) -> Any:
        """Compute the loss or the descriptor.

        Args:
            inputs (dict): ``points`` (B, N, 3); optionally ``mask`` (B, G) bool, True where a group is hidden.
            data_samples (list | None): Unused; pre-training needs no labels.
            mode (str): ``loss``, or ``tensor`` for the descriptor (B, C).
        """
        tokens = self.MAE_encoder.embed(inputs['points'])
        if mode == 'tensor':
            return self.MAE_encoder.summarize(tokens)
        if mode == 'loss':
            return {'loss': self.reconstruction_loss(tokens, inputs.get('mask'))}
        raise InvalidValueError(f"mode={mode!r} is unknown to PointMAEPretrain; use 'loss' or 'tensor'.")

    def reconstruction_loss(self, tokens: PointTokens, mask: Tensor | None = None) -> Tensor:
        """Chamfer distance between the masked groups and their reconstruction (section 3.4, equation 3).

        Args:
            tokens (PointTokens): G embedded groups.
            mask (Tensor | None): (B, G) bool with equally many True per row; None draws one at random.

        Returns:
            Tensor: () loss.
        """
        mask = self.random_mask(tokens.features) if mask is None else mask
        num_masked = int(self.mask_ratio * mask.shape[1])
        order = mask.to(torch.uint8).argsort(
            dim=1, stable=True
        )  # visible groups first, each part in its order
        visible, masked = order[:, :-num_masked], order[:, -num_masked:]

        encoder = self.MAE_encoder
        centers = tokens.centers
        x = encoder.blocks(gather(tokens.features, visible), encoder.pos_embed(gather(centers, visible)))
        x = encoder.norm(x)  # (B, visible, C)

        x = torch.cat([x, self.mask_token.expand(*masked.shape, -1)], dim=1)
        x = self.MAE_decoder(x, self.decoder_pos_embed(gather(centers, order)), num_masked)  # (B, masked, C)
        rebuilt = self.increase_dim(x.transpose(1, 2)).transpose(1, 2)
        rebuilt = rebuilt.reshape(-1, encoder.group_size, 3)  # (B*masked, K, 3)
        target = gather(tokens.neighborhoods.flatten(2), masked).reshape_as(rebuilt)
        return chamfer_distance(rebuilt, target)

    def random_mask(self, features: Tensor) -> Tensor:
        """Hide ``mask_ratio`` of the groups of every cloud, chosen independently: (B, G, C) -> (B, G) bool."""
        batch, groups, _ = features.shape
        rank = torch.rand(batch, groups, device=features.device).argsort(dim=1).argsort(dim=1)
        return rank < int(self.mask_ratio * groups)


class MAEDecoder(nn.Module):
    """A shallow transformer that sees visible and mask tokens and returns the masked ones.

    Args:
        dim (int): Token dimension C.
        depth (int): Number of blocks.
        num_heads (int): Attention heads.
        drop_path_rate (float): Stochastic-depth rate of the last block.
    """

    def __init__(self, dim: int, *, depth: int, num_heads: int, drop_path_rate: float) -> None:
        super().__init__()
        stack = BlockStack(dim, depth=depth, num_heads=num_heads, drop_path_rate=drop_path_rate)
        self.blocks = stack.blocks
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor, pos: Tensor, num_masked: int) -> Tensor:
        """Map tokens (B, L, C) with positions (B, L, C) to the last ``num_masked`` tokens, normed."""
        for block in self.blocks:
            x = block(x + pos)
        return self.norm(x[:, -num_masked:])
