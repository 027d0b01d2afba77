"""What every backbone exposes so that any tuning method and any head can work with it."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mmengine.logging import print_log
from mmengine.model import BaseModule
from torch import Tensor, nn

from ..io.errors import InvalidValueError
from ..structures import BackboneFeatures, PointTokens
from .decoding import default_decoder_layers, problem_of_decoder_layers
from .pretrained import load_pretrained

TRANSFORMER_SITES = {
    'block': '',
    'norm1': 'norm1',
    'attn': 'attn',
    'attn.qkv': 'attn.qkv',
    'attn.proj': 'attn.proj',
    'norm2': 'norm2',
    'mlp': 'mlp',
    'mlp.fc1': 'mlp.fc1',
    'mlp.fc2': 'mlp.fc2',
}
"""Sites of a transformer block, and the modules of the block that they are."""

TokenFunction = Callable[[PointTokens], PointTokens]
"""What may act between the embedding and the blocks."""


class MissingSiteError(InvalidValueError):
    """A tuning method acts on something that the blocks of a backbone do not have."""


class PointBackbone(BaseModule, ABC):
    """A plain pre-trained network that knows nothing about fine-tuning.

    The contract (see the package README; ``check_backbone`` checks it): ``embed`` cuts a cloud into tokens, ``encode``
    runs the blocks over them, ``summarize`` is the descriptor that the network was pre-trained to give. ``layers`` are
    the blocks in order; each is called as ``block(x)`` or ``block(x, mask)`` on a sequence ``[prefix tokens | patch
    tokens]``. ``block_sites`` names the places in a block where tuning methods may act.

    Args:
        init_cfg (dict | None): ``dict(type='Pretrained', checkpoint=FILE)`` loads official or converted weights in
            ``init_weights``; None keeps the random initialisation.
        decoder_layers (Sequence[Sequence[int]] | None): Blocks that decoders read, for every stage, finest stage first;
            None means those that published decoders read (:func:`~.decoding.default_decoder_layers`).
    """

    embed_dim: int
    """Dimension C of the tokens that a head gets."""

    num_groups: int
    """Groups G per cloud, before any merging."""

    num_prefix_tokens: int
    """Number P of class-like tokens in front of the patch tokens."""

    num_kept_tokens: int = 0
    """Prefix tokens of tuning methods; a plain network has none."""

    prefix_is_pretrained: bool = False
    """Whether pre-training gave the prefix tokens their values, so that the descriptor may depend on them."""

    block_sites: Mapping[str, str] = TRANSFORMER_SITES
    """Names of places in every block, and the module that each is, by its path in the block ('' is the block itself).

    Standard names where they fit (:data:`TRANSFORMER_SITES`), others for what is different: a second stream, say."""

    checkpoint_prefixes: Sequence[str] = ()
    """Prefixes under which official checkpoints keep this network's tensors."""

    checkpoint_renames: Sequence[tuple[str, str]] = ()
    """Pairs (regular expression, replacement) from official names to ours, where they differ."""

    checkpoint_optional: Sequence[str] = ()
    """Regular expressions for the beginnings of the names of tensors that official checkpoints lack, as they are new in
    fine-tuning; prefix tokens that are not pre-trained need not be named."""

    def __init__(
        self,
        init_cfg: dict[str, Any] | None = None,
        *,
        decoder_layers: Sequence[Sequence[int]] | None = None,
    ) -> None:
        super().__init__(init_cfg=None)
        if init_cfg is not None and init_cfg.get('type') != 'Pretrained':
            raise InvalidValueError(
                f"init_cfg type={init_cfg.get('type')!r} is unknown; use dict(type='Pretrained', checkpoint=...)."
            )
        self.checkpoint: str | None = init_cfg['checkpoint'] if init_cfg else None
        self.pretrained_names: list[str] = []
        self._decoder_layers = decoder_layers

    @property
    @abstractmethod
    def layers(self) -> Sequence[nn.Module]:
        """Blocks in the order in which they run."""

    def sites(self, name: str) -> list[nn.Module]:
        """The modules of every block, in order, that stand at the site ``name``.

        Raises:
            MissingSiteError: If the backbone declares no such site.
        """
        self.require_sites((name,), for_whom='a tuning method')
        return [block.get_submodule(self.block_sites[name]) for block in self.layers]

    def require_sites(self, names: Sequence[str], *, for_whom: str) -> None:
        """Check that the blocks have what somebody acts on.

        Raises:
            MissingSiteError: Names the first one that is missing, and those that there are.
        """
        for name in names:
            if name not in self.block_sites:
                raise MissingSiteError(
                    f'{for_whom} acts on {name!r}, but the blocks of {type(self).__name__} have no such site; they '
                    f'have {", ".join(self.block_sites)}.'
                )

    @property
    def layer_stages(self) -> Sequence[int]:
        """Stage of every block: position in ``tokens.stage_centers`` of the centers that its patch tokens belong to."""
        return [0] * len(self.layers)

    @property
    def layer_dims(self) -> Sequence[int]:
        """Token dimension of every block."""
        return [self.embed_dim] * len(self.layers)

    @property
    def decoder_layers(self) -> Sequence[Sequence[int]]:
        """Blocks that decoders read, for every stage, finest stage first: what segmentation and detection start from.

        Raises:
            ValueError: If the config names blocks that do not exist, or of other stages.
        """
        if self._decoder_layers is None:
            return default_decoder_layers(self.layer_stages)
        problem = problem_of_decoder_layers(self._decoder_layers, self.layer_stages)
        if problem:
            raise InvalidValueError(f'{problem}; change decoder_layers of the backbone.')
        return self._decoder_layers

    @abstractmethod
    def embed_groups(self, neighborhoods: Tensor) -> Tensor:
        """Embed groups (B, G, K, 3) of points relative to their centers as tokens (B, G, C) of the first block."""

    @abstractmethod
    def embed(self, points: Tensor) -> PointTokens:
        """Cut clouds (B, N, 3) into groups and embed each."""

    def embed_positions(self, centers: Tensor, stage: int = 0) -> Tensor:
        """Positions (B, G, C_s) of centers (B, G, 3), as added to the tokens of a stage.

        Raises:
            ValueError: If the backbone does not say them.
        """
        raise InvalidValueError(
            f'{type(self).__name__} does not say the positions of centers, which a tuning method asks for; give it '
            'embed_positions(centers).'
        )

    def prefix_tokens(self) -> Tensor:
        """Prefix tokens (1, P, C) as they enter the first block, without positions.

        Raises:
            ValueError: If the backbone has some and does not say them.
        """
        if self.num_prefix_tokens:
            raise InvalidValueError(
                f'{type(self).__name__} does not say its {self.num_prefix_tokens} prefix tokens, which a tuning method '
                'asks for; give it prefix_tokens().'
            )
        return next(self.parameters()).new_empty(1, 0, self.layer_dims[0])

    def carry(self, x: Tensor, stage: int) -> Tensor:
        """Bring tokens (B, T, C) that have no neighbours, such as prompts, into a later stage of a hierarchy.

        Args:
            x (Tensor): (B, T, C_{s-1}) tokens of the stage before.
            stage (int): The stage s that they enter.

        Returns:
            Tensor: (B, T, C_s).
        """
        return x

    @abstractmethod
    def encode(self, tokens: PointTokens, *, hidden_layers: Sequence[int] = ()) -> BackboneFeatures:
        """Run the transformer; keep the normed patch tokens after the blocks named in ``hidden_layers``."""

    @abstractmethod
    def summarize(self, tokens: PointTokens) -> Tensor:
        """Return the pre-trained network's global descriptor (B, C), which uses only pre-trained parameters.

        ``tokens`` are those of ``embed`` or their ``first`` few. It may have an argument ``num_layers``, see
        :func:`~.early_summary.summarizes_early`.
        """

    @abstractmethod
    def prefix_parameters(self) -> list[str]:
        """Names of the parameters behind the prefix tokens (class token, its position) that are worth training."""

    @abstractmethod
    def final_norm(self) -> nn.Module:
        """The norm applied after the last block."""

    def forward(
        self,
        points: Tensor,
        *,
        hidden_layers: Sequence[int] = (),
        transform_tokens: TokenFunction | None = None,
    ) -> BackboneFeatures:
        """Embed and encode clouds (B, N, 3).

        Args:
            points (Tensor): (B, N, 3).
            hidden_layers (Sequence[int]): Blocks whose output patch tokens the head needs.
            transform_tokens (Callable | None): Function from the embedded tokens to those that are encoded, which may
                add to their features what the points have beside coordinates.
        """
        tokens = self.embed(points)
        return self.encode(
            tokens if transform_tokens is None else transform_tokens(tokens), hidden_layers=hidden_layers
        )

    def init_weights(self) -> None:
        """Load the pre-trained checkpoint, if the config names one.

        Raises:
            MissingFileError: If the file does not exist.
            UnmatchedCheckpointError: If it does not fill this network.
        """
        if self.checkpoint and not self.pretrained_names:
            fresh = () if self.prefix_is_pretrained else self.prefix_parameters()
            self.pretrained_names = load_pretrained(
                self,
                self.checkpoint,
                prefixes=self.checkpoint_prefixes,
                renames=self.checkpoint_renames,
                optional=(*self.checkpoint_optional, *map(re.escape, fresh)),
            )
        elif not self.checkpoint:
            print_log(
                f'{type(self).__name__} starts from random weights: its config names no checkpoint.',
                logger='current',
            )

    def base_state(self) -> dict[str, Tensor]:
        """Tensors that came from the pre-trained file, by name; empty for a randomly initialised network."""
        state = self.state_dict()
        return {name: state[name] for name in self.pretrained_names}
