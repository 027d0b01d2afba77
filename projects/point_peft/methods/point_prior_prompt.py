"""Point-prior Prompt (Point-PEFT, AAAI 2024, arXiv 2310.03059, section 3.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.dist import get_world_size
from torch import Tensor, nn

from ..backbones import PointBackbone
from ..backbones.early_summary import require_early_summary
from ..io.errors import InvalidValueError
from ..io.shipped import call_of
from ..registry import MODELS
from ..structures import PointTokens
from .bottleneck import Bottleneck
from .context import TuningContext
from .fitted import Describe, FittedMethod
from .memory_bank import NORMALIZATION, MemoryBank, too_few_clouds
from .prompting import DeepPrompt

SUMMARY_ROWS = 2
"""Rows of the prior prompt that are not retrieved clouds: the query itself and the attention's result."""

PROMPT_STD = 0.02
"""Standard deviation of the learnable prompts at the start, as of the backbone's tokens."""


@MODELS.register_module()
class PointPriorPrompt(DeepPrompt, FittedMethod):
    """Learnable prompts, enhanced by what a memory bank knows about the input's domain.

    The pre-trained backbone describes the cloud; parameter-free attention over the bank finds similar training
    clouds; the query, the attended feature and the retrieved features, passed through a small bottleneck per block,
    are added to that block's learnable prompts. With an empty bank the prompts stay un-enhanced, and so do those of
    the earlier stages of a hierarchical backbone, whose tokens have another dimension than the bank (as released).

    Args:
        num_tokens (int): Prompt tokens per block; the bank retrieves ``num_tokens - 2`` clouds. 10 in the paper; 16 for
            Point-M2AE.
        layers (Sequence[int] | str): Blocks that get prompts: their numbers, ``first_half`` (6 of 12 as released for
            Point-MAE) or ``all`` (as released for Point-M2AE).
        hidden_dim (int): Dimension of the bottlenecks; 8 in the release.
        num_prior_groups (int | None): Groups that the query sees: the first ones of the backbone's, since farthest
            point sampling is incremental. 64, as in pre-training; None means all.
        num_prior_layers (int | None): Blocks of the pre-trained backbone that describe a cloud, for query and bank: the
            first ones, then its final norm and pooling. None means all; fewer are an approximation of ours, which
            hierarchical backbones refuse.
        dropout (float): Dropout of prompts and bottlenecks; 0.1 in the release.
        temperature (float): Temperature of the attention over the bank.
        leave_out_nearest (bool): Whether training does without the nearest row. It is the cloud itself, which no cloud
            of the test finds.
        training_query (str): What stands for a cloud's query in training: ``cloud``, computed from the cloud as it is
            augmented; or ``bank``, its own row of the bank, of the cloud without augmentation, which spares the pass of
            the pre-trained backbone and is not retrieved. An approximation of ours. Evaluation always computes it.
    """

    fitted_name = 'memory bank'
    fitted_key = 'bank'
    fitted_advice = f'build one with {call_of("build_memory_bank.py")}'
    unfitted_note = 'the memory bank is empty, so prompts are not enhanced'

    def __init__(
        self,
        num_tokens: int = 10,
        *,
        layers: Sequence[int] | str = 'first_half',
        hidden_dim: int = 8,
        num_prior_groups: int | None = 64,
        num_prior_layers: int | None = None,
        dropout: float = 0.1,
        temperature: float = 1.0,
        leave_out_nearest: bool = False,
        training_query: str = 'cloud',
    ) -> None:
        if training_query not in ('cloud', 'bank'):
            raise InvalidValueError(
                f"training_query={training_query!r} is unknown; use 'cloud', or 'bank' for the cloud's own row."
            )
        if isinstance(layers, str) and layers not in ('first_half', 'all'):
            raise InvalidValueError(
                f"layers={layers!r} is unknown; use 'first_half', 'all' or a list of numbers."
            )
        super().__init__(num_tokens, layers=None if isinstance(layers, str) else layers)
        self.first_half = layers == 'first_half'
        if num_tokens <= SUMMARY_ROWS:
            raise InvalidValueError(
                f'num_tokens={num_tokens}, but Point-prior Prompt needs at least {SUMMARY_ROWS + 1}: the query, '
                'the attended feature and one retrieved cloud.'
            )
        self.hidden_dim = hidden_dim
        self.num_prior_groups = num_prior_groups
        self.num_prior_layers = num_prior_layers
        self.temperature = temperature
        self.leave_out_nearest = leave_out_nearest
        self.reads_sample_index = training_query == 'bank'
        self.dropout = nn.Dropout(dropout)

    @property
    def num_retrieved(self) -> int:
        """Clouds that are retrieved from the bank."""
        return self.num_tokens - SUMMARY_ROWS

    def prompted_layers(self, backbone: PointBackbone) -> list[int]:
        """Indices of the blocks that get prompts."""
        layers = super().prompted_layers(backbone)
        return layers[: len(layers) // 2] if self.first_half else layers

    def setup(self, backbone: PointBackbone) -> None:
        """Create prompts and bottlenecks for the prompted blocks, and the empty bank.

        Raises:
            InvalidValueError: If the backbone cannot describe clouds by ``num_prior_layers`` of its blocks.
        """
        super().setup(backbone)
        depth = len(backbone.layers)
        if self.num_prior_layers is not None:
            require_early_summary(backbone, self.num_prior_layers, setting='num_prior_layers')
        self.described_layers = None if self.num_prior_layers == depth else self.num_prior_layers
        self.usual_settings = dict(num_prior_layers=depth)
        dims = [backbone.layer_dims[layer] for layer in self.prompted_layers(backbone)]
        self.bank = MemoryBank(backbone.embed_dim, temperature=self.temperature)
        self.min_clouds = self.num_retrieved + (self.leave_out_nearest or self.reads_sample_index)
        self.described_groups = min(self.num_prior_groups or backbone.num_groups, backbone.num_groups)
        self.embeddings = nn.ParameterList(
            nn.Parameter(torch.empty(self.num_tokens, dim).normal_(std=PROMPT_STD)) for dim in dims
        )
        self.adapters = nn.ModuleList(
            Bottleneck(dim, hidden_dim=self.hidden_dim, dropout=self.dropout.p)
            if dim == self.bank.dim
            else nn.Identity()
            for dim in dims
        )

    def fit(self, describe: Describe, dataset: Any) -> None:
        """Fill the bank with a descriptor of every training cloud."""
        self.bank.fill(describe(dataset, self.prior_tokens))

    def external_state(self) -> dict[str, Tensor]:
        """The keys (N, C) of the bank."""
        return {'bank.keys': self.bank.keys}

    def load_external_state(self, state: Mapping[str, Tensor], num_clouds: int) -> None:
        """Take the keys of a bank as they are: normalised again, their last bits would move, and with them the hash."""
        self.bank.check(state['bank.keys'], num_clouds)
        super().load_external_state(state, num_clouds)

    def fit_settings(self) -> dict[str, int | str]:
        """Dimension, the groups that descriptors are of, how keys are normalised, and blocks if they are not all."""
        known: dict[str, int | str] = dict(
            dim=self.bank.dim, num_prior_groups=self.described_groups, normalization=NORMALIZATION
        )
        if self.described_layers is not None:
            known['num_prior_layers'] = self.described_layers
        return known

    def check_ready(self) -> None:
        """Refuse too few rows; and several processes without any, as parameters without gradient would hold them up."""
        rows = len(self.bank)
        if rows == 0 and get_world_size() > 1:
            raise InvalidValueError(
                'the memory bank is empty, with which several processes cannot train; set default_hooks.fit to '
                "dict(type='FitHook'), which builds it, or train in one process."
            )
        if 0 < rows < self.min_clouds:
            raise InvalidValueError(too_few_clouds(rows, self.min_clouds))

    def begin(self, context: TuningContext) -> Tensor | None:
        """Query the bank once per forward.

        Returns:
            Tensor | None: (B, T, C) the query, the attended feature and the retrieved ones; None with an empty bank.

        Raises:
            ValueError: If several processes train with an empty bank, or nobody says which rows the clouds have.
        """
        if not len(self.bank):
            if self.training and torch.is_grad_enabled() and get_world_size() > 1:
                raise InvalidValueError(
                    'the memory bank is empty, so a part of the Point-prior Prompt gets no gradient, which several '
                    f'processes cannot train; let default_hooks.fit build it, or {call_of("build_memory_bank.py")}.'
                )
            self.warn_unfitted()
            return None
        if self.training and self.reads_sample_index:
            found = self.bank.beside(self._own_rows(context), self.num_retrieved)
        else:
            query = context.kept.get(('query', self.position), lambda: self._query(context))
            left_out = int(self.training and self.leave_out_nearest)
            found = self.bank(query, self.num_retrieved, left_out=left_out)
        rows = [found.query.unsqueeze(1), found.attended.unsqueeze(1), found.values]
        return torch.cat(rows, dim=1)  # (B, T, C)

    def _query(self, context: TuningContext) -> Tensor:
        """Descriptors (B, C) of the clouds, without gradient."""
        return context.pretrained_summary(self.prior_tokens(context.tokens), self.described_layers)

    def _own_rows(self, context: TuningContext) -> Tensor:
        """Rows (B,) of the bank that are the clouds themselves."""
        if context.sample_index is None:
            raise InvalidValueError(
                "training_query='bank' needs data samples that say which clouds of the training set they are "
                "(sample_idx), which this model does not hand on; use training_query='cloud'."
            )
        return context.sample_index

    def prior_tokens(self, tokens: PointTokens) -> PointTokens:
        """The tokens that the query is computed from."""
        return tokens if self.num_prior_groups is None else tokens.first(self.num_prior_groups)

    def prompts(self, position: int) -> Tensor:
        """Enhanced prompts (B, T, C) of one block; (1, T, C) if they are not enhanced."""
        prompts = self.dropout(self.embeddings[position]).unsqueeze(0)
        prior: Tensor | None = self.state
        if prior is None or prompts.shape[-1] != self.bank.dim:
            return prompts
        return prompts + prior + self.adapters[position](prior)
