"""One adapter of a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from ..methods import PEFTBackbone

DEFAULT = 'default'
"""Name of an adapter that was given none."""


@dataclass
class Adapter:
    """What one adapter has of its own.

    Attributes:
        wrapper (PEFTBackbone): Its methods, around the backbone that all share.
        modules (dict): What it has in the place of modules outside of the backbone, by path.
        methods (list[dict]): Configs of its methods.
        config (dict | None): Config of the model with this adapter; None where nobody knows that of the model.
        fresh (dict[str, Tensor]): Values of the parameters of the backbone that are not pre-trained (a class token):
            its own while another one acts, else those without it.
        dataset_meta (dict): Names of the classes or parts that it was trained on, as far as they are known.
    """

    wrapper: PEFTBackbone
    modules: dict[str, nn.Module | None]
    methods: list[dict[str, Any]]
    config: Mapping[str, Any] | None
    fresh: dict[str, Tensor]
    dataset_meta: dict[str, Any] = field(default_factory=dict)
