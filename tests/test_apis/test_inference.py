"""``init_model``: with nothing, with an adapter and with a complete file, here and in a new process."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
import torch
import warm_python
from mmengine.config import Config
from mmengine.registry import init_default_scope
from small_models import clouds, fill_bank, fit, fitted_of, logits, small_config, train, write_pretrained

from point_peft.apis import init_model
from point_peft.engine.checkpoint import (
    adapter_state,
    base_fingerprint,
    describe_checkpoint,
    full_state,
)
from point_peft.engine.fitting import save_fitted
from point_peft.io.errors import (
    BaseWeightsMismatchError,
    CheckpointError,
    ConfigError,
    FittedStateMismatchError,
    MissingFileError,
    UnmatchedCheckpointError,
    UnsafeCheckpointError,
)
from point_peft.io.weights import OWN_KEY, save_checkpoint
from point_peft.procedural import ProceduralShapes
from point_peft.registry import MODELS

ROOT = Path(__file__).resolve().parents[2]
BANK = 'memory_bank.safetensors'


class Training:
    """The files that a training leaves, and the logits of its model."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.adapter, self.config = folder / 'adapter.pth', folder / 'config.py'
        cfg = small_config(folder, checkpoint=write_pretrained(folder / 'pretrain.pth'))
        cfg.dump(self.config)
        torch.manual_seed(0)
        init_default_scope('point_peft')
        model = MODELS.build({**cfg.model, 'data_preprocessor': cfg.data_preprocessor})
        model.init_weights()
        base_fingerprint(model)
        fit(model, ProceduralShapes(num_samples=32, num_points=64))
        save_fitted(folder / BANK, fitted_of(model))
        train(model)
        save_checkpoint(self.adapter, adapter_state(model), {OWN_KEY: describe_checkpoint(model, 'delta')})
        save_checkpoint(
            folder / 'full.safetensors', full_state(model), {OWN_KEY: describe_checkpoint(model, 'full')}
        )
        self.logits = logits(model, clouds())

    def copy(self, folder: Path, *, names: tuple[str, ...] = ('adapter.pth', BANK, 'config.py')) -> Path:
        """Copy some files elsewhere, to change them there."""
        for name in names:
            shutil.copy(self.folder / name, folder / name)
        return folder


@pytest.fixture(scope='module')
def training(tmp_path_factory: pytest.TempPathFactory) -> Training:
    """A finished training."""
    return Training(tmp_path_factory.mktemp('training'))


def test_adapter(training: Training, log: list) -> None:
    """Config and adapter give the trained model, with base weights and bank, and without a warning."""
    model = init_model(training.config, training.adapter)
    assert not model.training and torch.equal(logits(model, clouds()), training.logits)
    assert log.at('WARNING') == []


def test_home_directory(training: Training, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bank of an adapter below ``~`` is found beside it."""
    monkeypatch.setenv('HOME', str(training.folder.parent))
    init_model(training.config, f'~/{training.folder.name}/{training.adapter.name}')


def test_adapter_is_small(training: Training) -> None:
    """It holds what training changed and what no file gives: no frozen tensor, no pre-trained copy, no bank."""
    model = init_model(training.config, training.adapter)
    wrapper = model.backbone
    expected = {f'head.{name}' for name in model.head.state_dict()}
    expected |= {f'backbone.methods.{name}' for name in wrapper.methods.state_dict() if 'bank' not in name}
    expected |= {f'backbone.backbone.{name}' for name in wrapper.tuned_names}
    expected |= {
        'backbone.pretrained_cls_token',
        'backbone.pretrained_cls_pos',
    }  # not in the pre-trained file
    assert set(torch.load(training.adapter, weights_only=True)['state_dict']) == expected


NEW_PROCESS = """
import sys
import torch
from point_peft.apis import init_model
model = init_model(sys.argv[1], sys.argv[2], device='cpu')
points = torch.load(sys.argv[3], weights_only=True)
with torch.no_grad():
    torch.save(model(dict(points=points), mode='tensor'), sys.argv[4])
assert 'point_peft.release' not in sys.modules
"""


@pytest.mark.parametrize('file', ['adapter.pth', 'full.safetensors'])
def test_new_process(training: Training, tmp_path: Path, file: str) -> None:
    """The same logits to the last bit, and the release mode is not even imported."""
    torch.save(clouds(), tmp_path / 'points.pt')
    files = [training.config, training.folder / file, tmp_path / 'points.pt', tmp_path / 'logits.pt']
    environment = {**os.environ, 'OMP_NUM_THREADS': str(torch.get_num_threads())}
    done = warm_python.run([sys.executable, '-c', NEW_PROCESS, *files], env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert torch.equal(torch.load(tmp_path / 'logits.pt', weights_only=True), training.logits)


def test_complete_file_needs_nothing_else(training: Training, tmp_path: Path) -> None:
    """Neither the pre-trained file nor the bank."""
    folder = training.copy(tmp_path, names=('full.safetensors', 'config.py'))
    cfg = Config.fromfile(folder / 'config.py')
    cfg.model.backbone.init_cfg.checkpoint = str(tmp_path / 'absent.pth')
    model = init_model(cfg, folder / 'full.safetensors')
    assert torch.equal(logits(model, clouds()), training.logits)


def test_adapter_on_other_base_weights(training: Training) -> None:
    """Refused, with both hashes."""
    cfg = Config.fromfile(training.config)
    cfg.model.backbone.init_cfg.checkpoint = str(write_pretrained(training.folder / 'other.pth', seed=8))
    with pytest.raises(
        BaseWeightsMismatchError, match=r'is an adapter for base weights [0-9a-f]{32}, but the model has'
    ):
        init_model(cfg, training.adapter)


def test_adapter_without_base_weights(training: Training, tmp_path: Path) -> None:
    """The pre-trained file is missing, or the config names none."""
    cfg = Config.fromfile(training.config)
    cfg.model.backbone.init_cfg.checkpoint = str(tmp_path / 'absent.pth')
    with pytest.raises(MissingFileError, match=r'absent\.pth does not exist'):
        init_model(cfg, training.adapter)
    cfg.model.backbone.init_cfg = None
    with pytest.raises(BaseWeightsMismatchError, match='the model was built without pre-trained weights'):
        init_model(cfg, training.adapter)


def test_missing_bank(training: Training, tmp_path: Path) -> None:
    """An adapter that was trained with a bank needs it: beside it, or where the config says."""
    folder = training.copy(tmp_path, names=('adapter.pth',))
    with pytest.raises(CheckpointError, match=r'trained with memory bank [0-9a-f]{32}, which is in none of'):
        init_model(training.config, folder / 'adapter.pth')
    cfg = Config.fromfile(training.config)
    cfg.default_hooks.fit.file = str(training.folder / BANK)
    assert torch.equal(logits(init_model(cfg, folder / 'adapter.pth'), clouds()), training.logits)


def test_bank_of_another_backbone(training: Training, tmp_path: Path) -> None:
    """Refused, although its shape fits."""
    folder = training.copy(tmp_path)
    cfg = Config.fromfile(training.config)
    cfg.model.backbone.init_cfg.checkpoint = str(write_pretrained(tmp_path / 'other.pth', seed=8))
    other = init_model(cfg)
    fit(other, ProceduralShapes(num_samples=32, num_points=64))
    save_fitted(folder / BANK, fitted_of(other))
    with pytest.raises(
        FittedStateMismatchError, match=r"was made with base_hash='[0-9a-f]{32}', but this run needs"
    ):
        init_model(training.config, folder / 'adapter.pth')


def test_other_bank_of_the_same_backbone(training: Training, tmp_path: Path, log: list) -> None:
    """Made from other clouds: refused with both hashes, or used with one warning where the config says so."""
    folder = training.copy(tmp_path)
    other = init_model(training.config)
    fit(other, ProceduralShapes(num_samples=32, num_points=64, split='test'))
    save_fitted(folder / BANK, fitted_of(other))
    bank = fitted_of(other).content_hash()
    with pytest.raises(
        FittedStateMismatchError, match=rf'with memory bank \w+, but the model holds bank {bank}'
    ):
        init_model(training.config, folder / 'adapter.pth')
    log.clear()
    cfg = Config.fromfile(training.config)
    cfg.default_hooks.fit.allow_other = True
    model = init_model(cfg, folder / 'adapter.pth')
    (warning,) = log.at('WARNING')
    assert 'was trained with memory bank' in warning
    assert not torch.equal(logits(model, clouds()), training.logits)


def test_wrong_dimension(training: Training, tmp_path: Path) -> None:
    """A checkpoint of another number of classes is refused with both shapes."""
    cfg = Config.fromfile(training.config)
    cfg.model.head.num_classes = 9
    message = r'has shape \(16.*but \(9.*in the model; use the config it was trained with'
    with pytest.raises(UnmatchedCheckpointError, match=message):
        init_model(cfg, training.adapter)


def test_bad_files(training: Training, tmp_path: Path, malicious: tuple[Path, Path]) -> None:
    """Missing, foreign, truncated and malicious checkpoints; code in them is not run."""
    with pytest.raises(MissingFileError, match=r'absent\.pth'):
        init_model(training.config, tmp_path / 'absent.pth')
    torch.save({'conv.weight': torch.zeros(2)}, tmp_path / 'foreign.pth')
    with pytest.raises(
        UnmatchedCheckpointError, match=r'none of the 1 tensors of .*foreign\.pth is in the model'
    ):
        init_model(training.config, tmp_path / 'foreign.pth')
    content = training.adapter.read_bytes()
    (tmp_path / 'half.pth').write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match=r'half\.pth is truncated'):
        init_model(training.config, tmp_path / 'half.pth')
    file, trace = malicious
    with pytest.raises(UnsafeCheckpointError, match=r'malicious\.pth was not loaded'):
        init_model(training.config, file)
    assert not trace.exists()


def test_malicious_bank(training: Training, tmp_path: Path, malicious: tuple[Path, Path]) -> None:
    """Nor is code in a bank's file."""
    file, trace = malicious
    cfg = Config.fromfile(training.config)
    cfg.default_hooks.fit.file = str(file)
    with pytest.raises(UnsafeCheckpointError, match=r'malicious\.pth was not loaded'):
        init_model(cfg, training.copy(tmp_path) / 'adapter.pth')
    assert not trace.exists()


def test_without_checkpoint(tmp_path: Path, log: list) -> None:
    """Where random weights are asked for: an empty bank, no file, and one warning over building and two forwards."""
    cfg = small_config(tmp_path, checkpoint=tmp_path / 'absent.pth')
    with pytest.raises(MissingFileError, match=r'absent\.pth. does not exist, so the model would be random'):
        init_model(cfg)
    model = init_model(cfg, allow_random=True)
    assert not model.training and logits(model, clouds()).shape == (4, 16)
    logits(model, clouds())
    assert log.at('WARNING') == [
        'model built without a checkpoint: all weights are random, and the memory bank is empty, so prompts are not '
        'enhanced.'
    ]
    fill_bank(model)
    assert logits(model, clouds()).isfinite().all()


def test_without_checkpoint_but_with_pretrained_weights(training: Training, log: list) -> None:
    """The backbone's file is used if it is there, and the warning says so."""
    model = init_model(training.config)
    state = torch.load(training.folder / 'pretrain.pth', weights_only=True)['base_model']
    assert torch.equal(model.backbone.backbone.norm.weight, state['module.MAE_encoder.norm.weight'])
    (warning,) = log.at('WARNING')
    assert 'the backbone is pre-trained' in warning and 'pretrain.pth' in warning


def test_device(tmp_path: Path) -> None:
    """Everything goes to the given device."""
    model = init_model(small_config(tmp_path), device='meta')
    assert {value.device.type for value in model.state_dict().values()} == {'meta'}


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (
            {'model.type': 'PointClasifier'},
            r"model: nothing is registered as 'PointClasifier'; did you mean 'PointClassifier'",
        ),
        ({'model.head.num_clases': 3}, r"model\.head: .*'num_clases'; did you mean 'num_classes'"),
        (
            {'model.peft.methods.0.num_token': 3},
            r"model\.peft\.methods\[0\]: .*'num_token'; did you mean 'num_tokens'",
        ),
        ({'data_preprocessor.num_point': 3}, r"data_preprocessor: .*'num_point'; did you mean 'num_points'"),
    ],
)
def test_typo(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    """The place, what is wrong and the nearest right name."""
    cfg = small_config(tmp_path)
    cfg.merge_from_dict(changes, allow_list_keys=True)
    with pytest.raises(ConfigError, match=message):
        init_model(cfg)


def test_missing_config() -> None:
    """Similar files are named."""
    with pytest.raises(
        MissingFileError, match=r'pointmae_mini_shape\.py does not exist; did you mean .*mini_shapes'
    ):
        init_model(ROOT / 'configs' / 'point_peft' / 'pointmae_mini_shape.py')
