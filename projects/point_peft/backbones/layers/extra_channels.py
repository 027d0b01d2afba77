"""What points have beside coordinates, for a network that was pre-trained on coordinates only."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn
from torch.nn import functional as F

from ...ops import gather
from ...structures import PointTokens


class ExtraChannels(nn.Module):
    """Add an embedding of further channels (height, color) of a group's points to its token.

    The last layer starts at zero, so that at first the tokens are, bit for bit, those of the pre-trained embedding.

    Args:
        channels (int): Channels D.
        embed_dim (int): Token dimension C.
        hidden_dim (int): Width of the hidden layer.
    """

    def __init__(self, channels: int, embed_dim: int, *, hidden_dim: int = 64) -> None:
        super().__init__()
        self.embed = nn.Linear(channels, hidden_dim)
        self.project = nn.Linear(hidden_dim, embed_dim)
        nn.init.zeros_(self.project.weight)
        nn.init.zeros_(self.project.bias)

    def forward(self, tokens: PointTokens, extra: Tensor) -> PointTokens:
        """Add the mean embedding of every group.

        Args:
            tokens (PointTokens): G groups with ``neighbor_index``.
            extra (Tensor): (B, N, D) further channels of the cloud's points.
        """
        assert tokens.neighbor_index is not None
        hidden = F.gelu(self.embed(gather(extra, tokens.neighbor_index))).mean(dim=2)  # (B, G, hidden_dim)
        return replace(tokens, features=tokens.features + self.project(hidden))
