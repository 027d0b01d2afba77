"""Trained parameters of the methods on Point-MAE, ScanObjectNN, as published and as configured here."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from point_peft.apis import init_model

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'

HEAD = 2 * 384 * 256 + 256 + 256 * 256 + 256 + 4 * 256 + 256 * 15 + 15
CLASS_TOKEN = 2 * 384
"""With its position."""

COUNTS = {
    'bitfit': 12
    * (384 + 384 + 384 + 1536 + 384),  # norm1, attn.proj, norm2, mlp.fc1, mlp.fc2; attn.qkv has none
    'vpt_shallow': 10 * 384,
    'vpt_deep': 12 * 10 * 384,
    'adapter': 12 * (2 * 384 * 64 + 64 + 384),
    'adapter_parallel': 12 * (2 * 384 * 64 + 64 + 384),
    'ssf': 12 * 2 * (384 + 1152 + 384 + 384 + 1536 + 384),
    'lora': 12 * 8 * (384 + 1152 + 2 * (384 + 1536)),
    'dora': 12 * (8 * (384 + 1152 + 2 * (384 + 1536)) + 1152 + 1536 + 384),
}
"""Without head and class token."""


def trained(config: str | Path, monkeypatch: pytest.MonkeyPatch, folder: Path) -> int:
    """Trained parameters of a config, without its files."""
    monkeypatch.chdir(folder)
    with torch.device('meta'):
        model = init_model(config, device='meta')
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


@pytest.mark.parametrize('method', COUNTS)
def test_default(method: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert (
        trained(f'{method}/pointmae_scanobjnn', monkeypatch, tmp_path) == COUNTS[method] + CLASS_TOKEN + HEAD
    )


@pytest.mark.parametrize(('method', 'count'), [('vpt_deep', 360_463)])
def test_published(method: str, count: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By the rule of the published code, what has `cls` in its name."""
    config = CONFIGS / method / 'release' / 'pointmae_scanobjnn.py'
    assert trained(config, monkeypatch, tmp_path) == count
