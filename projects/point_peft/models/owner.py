"""What the engine asks whatever owns a backbone."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from ..registry import MODELS


def build_backbone(backbone: dict[str, Any], peft: dict[str, Any] | None) -> Any:
    """Build a plain backbone, in the wrapper that freezes and tunes it if there is one, from their configs."""
    return MODELS.build(backbone if peft is None else {**peft, 'backbone': backbone})


def build_for(backbone: nn.Module, config: dict[str, Any]) -> Any:
    """Build what goes with a backbone, and asks it for its sizes: a head, a neck, or an objective of pre-training.

    It gets the backbone as the argument ``backbone``.
    """
    return MODELS.build(config, default_args=dict(backbone=backbone))


class BackboneOwner(nn.Module):
    """Base of modules with a ``backbone``, plain or tuned: says what of it is pre-trained, and what it gets.

    The engine looks for the outermost modules that answer (``engine.checkpoint.fingerprint.outermost_with``), so an
    owner may itself be a part of a detector of mmdet3d.
    """

    backbone: Any

    def init_weights(self) -> None:
        """Load the pre-trained backbone.

        All else got its values when it was built, so MMEngine's walk through the modules, which logs two lines per
        parameter, has nothing to do.
        """
        self.backbone.init_weights()
        self.is_init = True

    def base_state(self) -> dict[str, Tensor]:
        """Tensors that came from a pre-trained file, by their names in ``state_dict()``."""
        return {f'backbone.{name}': value for name, value in self.backbone.base_state().items()}

    def backbone_points(self, inputs: dict[str, Any]) -> Tensor:
        """The clouds (B, N, 3) that the backbone gets of prepared inputs."""
        return inputs['points']
