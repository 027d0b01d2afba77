"""Models by name."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch
from small_models import logits

from point_peft.apis import get_model, list_models
from point_peft.engine.checkpoint import full_state
from point_peft.engine.config import find_config, reason_against
from point_peft.engine.config.names import combinations
from point_peft.io.errors import ConfigError, InvalidValueError, MissingFileError
from point_peft.io.shipped import ROOT
from point_peft.io.weights import load_checkpoint_file


def test_list() -> None:
    """Every name can be read, every combination that works is there and no other, and that takes no minute."""
    start = time.perf_counter()
    names = list_models()
    assert time.perf_counter() - start < 15
    assert names == sorted(set(names)) and len(names) > 3000
    for combination in combinations()[::73]:
        assert (str(combination) in names) == (reason_against(combination) is None), combination
    assert {'full/recon_scanobjnn', 'pretrain/pointmae_mini', 'point_peft/release/pointmae_scanobjnn'} < set(
        names
    )
    assert all(find_config(name) for name in names[::97]) and not [name for name in names if '_base_' in name]


@pytest.mark.parametrize(
    ('pattern', 'names'),
    [
        ('lora/pointmae_mini_sh*', ['shapenetpart', 'shapes', 'shapes_part']),
        ('ora/pointmae_mini_shapes', ['shapes', 'shapes_part']),
        ('lora/pointmae_mini_shape?', ['shapes']),
        ('LORA', []),
    ],
)
def test_patterns(pattern: str, names: list[str]) -> None:
    """Part of a name, or a pattern of the whole."""
    found = [name for name in list_models(pattern) if '_mini_' in name and name.startswith('lora')]
    assert found == [f'lora/pointmae_mini_{name}' for name in names]


def test_list_knows_configs_of_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files and parts."""
    monkeypatch.chdir(tmp_path)
    for path in ('configs/mine/small.py', 'configs/_base_/methods/nothing.py'):
        Path(path).parent.mkdir(parents=True)
        Path(path).write_text('peft = None\n')
    assert {'mine/small', 'nothing/pointmae_mini_shapes'} < set(list_models())


def test_pretrained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shipped weights, from any directory; random ones; a whole checkpoint."""
    monkeypatch.chdir(tmp_path)
    name = 'full/pointmae_mini_shapes'
    shipped = load_checkpoint_file(ROOT / 'checkpoints/pointmae_mini.safetensors')['state_dict']
    model = get_model(name, num_classes=4)
    key = next(key for key in shipped if 'mlp' in key and key.endswith('weight'))
    assert torch.equal(model.backbone.state_dict()[key], shipped[key])
    assert not model.training and logits(model, torch.rand(2, 1024, 3)).shape == (2, 4)
    random = get_model(name, pretrained=False, num_classes=4)
    assert not torch.equal(random.backbone.state_dict()[key], shipped[key])
    torch.save(dict(state_dict=full_state(random), meta={}), 'whole.pth')
    again = get_model(name, 'whole.pth', num_classes=4)
    assert all(torch.equal(value, again.state_dict()[key]) for key, value in random.state_dict().items())


def test_not_to_be_had() -> None:
    """Weights that are not there, or not named; a name with a slip; classes that nobody has counted."""
    with pytest.raises(
        MissingFileError, match=r'recon_pretrain\.pth. does not exist.*get_model\(\.\.\., pretrained=F'
    ):
        get_model('full/recon_shapes')
    with pytest.raises(
        ConfigError, match='pointmae_mini_shapes names no pre-trained weights; give pretrained=False'
    ):
        get_model('pretrain/pointmae_mini_shapes')
    with pytest.raises(MissingFileError, match='did you mean lora/pointmae_mini_shapes'):
        get_model('lora/pointmae_mini_shape')
    with pytest.raises(InvalidValueError, match='num_classes of the head is not known'):
        get_model('lora/pointmae_mini_folder')
    assert get_model('full/recon_shapes', pretrained=False).head.num_classes == 16
