"""The model that is a descriptor and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.registry import init_default_scope
from small_models import BACKBONE, build_plain, clouds

from point_peft.models import PointDescriptor


@pytest.fixture
def model() -> PointDescriptor:
    """On the small backbone with the weights of ``build_plain``."""
    init_default_scope('point_peft')
    model = PointDescriptor(BACKBONE)
    model.backbone.load_state_dict(build_plain().state_dict())
    return model.eval()


def test_descriptor(model: PointDescriptor) -> None:
    """What the backbone's ``summarize`` gives, under the official names behind ``backbone.``."""
    plain = build_plain()
    with torch.no_grad():
        found = model(dict(points=clouds()))
        expected = plain.summarize(plain.embed(clouds()))
    assert found.shape == (4, 48) and torch.equal(found, expected)
    assert set(model.state_dict()) == {f'backbone.{name}' for name in plain.state_dict()}


@pytest.mark.parametrize('mode', ['loss', 'predict'])
def test_other_modes(model: PointDescriptor, mode: str) -> None:
    """There is neither a loss nor a prediction."""
    message = f"mode='{mode}' is unknown to PointDescriptor, which has no head; use 'tensor'"
    with pytest.raises(ValueError, match=message):
        model(dict(points=clouds()), mode=mode)


def test_pretrained_file(tmp_path: Path) -> None:
    """``init_weights`` loads the backbone's file, and ``base_state`` names what came from it."""
    init_default_scope('point_peft')
    plain = build_plain(class_token=False)
    torch.save(plain.state_dict(), tmp_path / 'plain.pth')
    checkpoint = dict(type='Pretrained', checkpoint=str(tmp_path / 'plain.pth'))
    model = PointDescriptor(BACKBONE | dict(class_token=False, init_cfg=checkpoint))
    assert model.base_state() == {} and not model.is_init
    model.init_weights()
    expected = {f'backbone.{name}': value for name, value in plain.state_dict().items()}
    assert model.is_init and set(model.base_state()) == set(expected)
    assert all(torch.equal(value, expected[name]) for name, value in model.base_state().items())
