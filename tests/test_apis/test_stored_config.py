"""The config in a checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_models import small_config

from point_peft.apis import init_model
from point_peft.apis.stored_config import config_of_checkpoint
from point_peft.engine.checkpoint import full_state
from point_peft.io.errors import ConfigError


def write(path: Path, text: str | None, state: dict | None = None) -> Path:
    """A checkpoint with the text of a config."""
    torch.save(dict(state_dict=state or {}, meta={} if text is None else dict(cfg=text)), path)
    return path


def test_model(tmp_path: Path) -> None:
    """The model, how its clouds are prepared, and nothing of the training; options change it."""
    cfg = small_config(tmp_path, method='lora')
    model = init_model(cfg, allow_random=True)
    path = write(tmp_path / 'x.pth', cfg.pretty_text, full_state(model))
    found = config_of_checkpoint(path, {'test_dataloader.batch_size': 3})
    assert found.model.to_dict() == cfg.model.to_dict() and found.test_dataloader.batch_size == 3
    assert found.test_dataloader.dataset.to_dict() == cfg.test_dataloader.dataset.to_dict()
    assert 'optim_wrapper' not in found and 'default_hooks' not in found
    again = init_model(found, path)
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        (None, 'does not hold the config of its training'),
        ('model = __import__("os").getcwd()', 'does not hold the config'),
        (
            "model = dict(type='os.system', command='x')",
            "model.type='os.system', which is not a part of this package",
        ),
        (
            "model = dict(type='PointClassifier', head=dict(type='antigravity'))",
            "model.head.type='antigravity'",
        ),
        ('model = dict(type=5)', 'model.type=5'),
        (
            "model = dict(type='PointClassifier')\ntest_dataloader = dict(dataset=dict(type='a.b'))",
            "test_dataloader.dataset.type='a.b'",
        ),
    ],
)
def test_refused(tmp_path: Path, text: str | None, message: str) -> None:
    """What is no config, or names what is not registered; in one sentence with what to do."""
    with pytest.raises(ConfigError, match=f'{message}.*give the config too: python tools/infer.py CONFIG'):
        config_of_checkpoint(write(tmp_path / 'x.pth', text))


def test_addresses_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An adapter cannot make this machine ask another one for base weights; its user can; a whole file needs none."""
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    address = 'https://example.org/base.pth'
    cfg = small_config(tmp_path, method='lora')
    key = 'model.backbone.backbone.init_cfg'
    cfg.merge_from_dict({key: dict(type='Pretrained', checkpoint=address)})
    meta = dict(cfg=cfg.pretty_text, point_peft=dict(format='delta'))
    torch.save(dict(state_dict={}, meta=meta), tmp_path / 'x.pth')
    with pytest.raises(
        ConfigError, match=f'not fetched because a file says so; .* --cfg-options {key}.checkpoint=https'
    ):
        config_of_checkpoint(tmp_path / 'x.pth')
    assert config_of_checkpoint(tmp_path / 'x.pth', {f'{key}.checkpoint': address})
    assert config_of_checkpoint(write(tmp_path / 'y.pth', cfg.pretty_text))
