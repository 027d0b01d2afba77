"""Every config file: it parses, is short, has no typo, builds, and runs without any other file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from point_peft.apis import init_model
from point_peft.engine.config import load_config
from point_peft.engine.config_check import check_config
from point_peft.models import PointClassifier
from point_peft.tuners import PEFTBackbone

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / 'configs'
FRAGMENTS = sorted((CONFIGS / '_base_').rglob('*.py'))
DETECTION = ('_scannet', '_sunrgbd', '_shapes_scene')
"""Ends of the names of detection configs, which have a test of their own (test_detection)."""

LEAVES = sorted(
    path for path in CONFIGS.rglob('*.py') if '_base_' not in path.parts and not path.stem.endswith(DETECTION)
)
SMALL = [path for path in LEAVES if 'mini' in path.stem and not path.stem.endswith('_seg')]
"""Those of scene segmentation are run in tests/test_scene_seg."""

BACKBONES = ('pointmae', 'pointbert', 'pointm2ae', 'recon', 'act', 'pointgpt_s', 'pointgpt_b', 'pointgpt_l')
DATASETS = ('scanobjnn', 'modelnet40', 'modelnet10', 'shapes')

TRAINING = ('train_dataloader', 'optim_wrapper', 'train_cfg', 'data_preprocessor')
"""Sections of every leaf that trains; a leaf without training has none of them."""

WITHOUT_ROLE = ('backbone.blocks.increase_dim.', 'auxiliary_head.generator_blocks.sos')
IN_CLASSIFICATION, IN_SEGMENTATION = ('backbone.norm.',), ('backbone.blocks.ln_f.', 'auxiliary_head.')
"""Parameters in PointGPT's published files that take no part, in one of the tasks or in any; nothing trains them."""

MAX_LINES = {'pretrain': 40}
"""Lines of a leaf; elsewhere 30. Pre-training configs hold a model of their own."""


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory without data and checkpoints."""
    monkeypatch.chdir(tmp_path)


def names(paths: list[Path]) -> list[str]:
    """Test ids."""
    return [str(path.relative_to(CONFIGS).with_suffix('')) for path in paths]


every_leaf = pytest.mark.parametrize('path', LEAVES, ids=names(LEAVES))
every_small_leaf = pytest.mark.parametrize('path', SMALL, ids=names(SMALL))


@pytest.mark.parametrize('path', FRAGMENTS, ids=names(FRAGMENTS))
def test_fragment(path: Path) -> None:
    """Each fragment reads alone."""
    assert len(Config.fromfile(path)) > 0


@every_leaf
def test_leaf(path: Path) -> None:
    """Short, says what it is, inherits the runtime, and has no typo."""
    lines = path.read_text().splitlines()
    assert len(lines) <= MAX_LINES.get(path.parent.name, 30) and lines[0].startswith('"""')
    cfg = load_config(path)
    init_default_scope('point_peft')
    check_config(cfg)
    assert cfg.default_scope == 'point_peft' and cfg.randomness.seed == 0
    assert 'model' in cfg
    if cfg.model.type == 'PointDescriptor':
        assert not set(TRAINING) & set(cfg)
    else:
        assert set(TRAINING) <= set(cfg)


@every_leaf
@pytest.mark.usefixtures('nowhere')
def test_build(path: Path) -> None:
    """Every model builds from its config alone, with something to train."""
    with torch.device('meta'):
        model = init_model(path, device='meta')
    cfg = load_config(path)
    if cfg.model.type == 'PointDescriptor':
        return
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    total = sum(p.numel() for p in model.parameters())
    assert 0 < trainable <= total
    if isinstance(model, PointClassifier):
        check_classifier(model, cfg, path.parent.name)
    if path.parent.name in ('full', 'pretrain'):
        frozen = [name for name, p in model.named_parameters() if not p.requires_grad]
        of_task = IN_CLASSIFICATION if isinstance(model, PointClassifier) else IN_SEGMENTATION
        assert all(name.startswith(WITHOUT_ROLE + of_task) for name in frozen)
        assert bool(frozen) == path.stem.startswith('pointgpt')
        return
    in_head = sum(p.numel() for p in model.head.parameters())
    if path.parent.name == 'linear_probe':
        assert trainable == in_head
    elif 'mini' not in path.stem:  # of the backbone, since decoders are large
        assert trainable - in_head < 0.06 * (total - in_head)


def check_classifier(model: PointClassifier, cfg: Config, method: str) -> None:
    """As many classes as the dataset has; a wrapper where something is tuned; linear probing is linear."""
    assert model.head.num_classes == cfg.num_classes
    assert isinstance(model.backbone, PEFTBackbone) == ('tuner' in cfg.model)
    if method == 'linear_probe':
        assert [type(layer).__name__ for layer in model.head.cls_head_finetune] == ['BatchNorm1d', 'Linear']
        assert model.head.cls_norm is None


def inputs_for(cfg: Config) -> dict[str, torch.Tensor]:
    """Two clouds of as many points as the config gives the model, of two categories."""
    num_points = cfg.data_preprocessor.get('num_points') or cfg.train_dataloader.dataset.num_points
    points = torch.randn(2, num_points, 3, generator=torch.Generator().manual_seed(0))
    return dict(points=points, category=torch.tensor([0, 15]))


@every_small_leaf
@pytest.mark.usefixtures('nowhere')
def test_small_models_run(path: Path, log: Any) -> None:
    """Finite logits, or a descriptor, with one warning over building and two forwards."""
    cfg = load_config(path)
    model = init_model(path, allow_random=True)
    with torch.no_grad():
        out = model(inputs_for(cfg), mode='tensor')
        again = model(inputs_for(cfg), mode='tensor')
    if path.parent.name == 'pretrain':
        shape: tuple[int, ...] = (2, cfg.model.encoder.embed_dim)
    elif 'parts_per_category' in cfg:
        shape = (2, cfg.train_dataloader.dataset.num_points, sum(cfg.parts_per_category))
    else:
        shape = (2, cfg.num_classes)
    assert out.shape == shape and out.isfinite().all() and torch.equal(out, again)
    assert len(log.at('WARNING')) == 1 and 'model built without a checkpoint' in log.at('WARNING')[0]


@pytest.mark.parametrize(
    'name',
    [
        'point_peft/pointmae_scanobjnn',
        'point_peft/release/pointmae_scanobjnn',
        'point_peft/release/pointm2ae_scanobjnn',
    ],
)
@pytest.mark.usefixtures('nowhere')
def test_full_models_run(name: str, log: Any) -> None:
    """Both modes at full size, without any file, with one warning."""
    cfg = load_config(CONFIGS / f'{name}.py')
    model = init_model(CONFIGS / f'{name}.py', allow_random=True)
    with torch.no_grad():
        out = model(inputs_for(cfg), mode='tensor')
    assert out.shape == (2, 15) and out.isfinite().all()
    (warning,) = log.at('WARNING')
    assert 'all weights are random' in warning and 'the memory bank is empty' in warning


@pytest.mark.parametrize('backbone', BACKBONES)
def test_promised_leaves(backbone: str) -> None:
    """Every backbone and dataset with Point-PEFT, full fine-tuning and linear probing; the other methods on one."""
    promised = [
        CONFIGS / method / f'{backbone}_{dataset}.py'
        for method in ('point_peft', 'full', 'linear_probe')
        for dataset in DATASETS + (('scanobjnn_objbg', 'scanobjnn_objonly') if backbone == 'pointmae' else ())
    ]
    promised += [CONFIGS / method / f'{backbone}_scanobjnn.py' for method in ('lora', 'vpt_deep')]
    assert not set(promised) - set(LEAVES)


def test_leaves_say_what_they_are() -> None:
    """No two leaves have the same first line, as would happen when one is copied."""
    titles = [path.read_text().splitlines()[0] for path in LEAVES]
    assert len(set(titles)) == len(titles)


SAME_BETWEEN_METHODS = ('optim_wrapper', 'param_scheduler', 'train_cfg', 'train_dataloader', 'auto_scale_lr')


@pytest.mark.parametrize(
    'leaf', [*(f'{b}_{d}' for b in BACKBONES for d in ('scanobjnn', 'modelnet40')), 'pointmae_mini_shapes']
)
def test_one_change_between_methods(leaf: str) -> None:
    """Leaves of one dataset differ in model and tuner only, so that methods can be compared.

    ReCon and PointGPT have a published schedule of their own for full fine-tuning; a frozen Point-M2AE keeps the norms
    that its descriptor uses.
    """
    methods = ['point_peft', 'linear_probe', 'full', 'lora', 'vpt_deep']
    reference, *others = (
        load_config(path) for path in (CONFIGS / m / f'{leaf}.py' for m in methods) if path in LEAVES
    )
    assert len(others) >= 2
    for cfg in others:
        tuned = 'tuner' in cfg.model
        if tuned or not leaf.startswith(('recon', 'pointgpt')):
            assert all(cfg[section] == reference[section] for section in SAME_BETWEEN_METHODS)
        assert cfg.data_preprocessor == reference.data_preprocessor
        backbone = dict(reference.model.backbone)
        if not tuned:
            assert backbone.pop('stage_norms', None) == (True if leaf.startswith('pointm2ae') else None)
        assert dict(cfg.model.backbone) == backbone


def test_mini_backbone_is_the_one_that_is_pretrained() -> None:
    """The shipped weights are made by a config with the same encoder."""
    encoder = dict(load_config(CONFIGS / 'pretrain' / 'pointmae_mini_shapes.py').model.encoder)
    backbone = dict(load_config(CONFIGS / 'full' / 'pointmae_mini_shapes.py').model.backbone)
    assert not encoder.pop('class_token')
    for name in ('drop_path_rate', 'init_cfg'):
        encoder.pop(name, None), backbone.pop(name, None)
    assert encoder == backbone


def test_shipped_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under 8 MB, and everything but the class token comes from them."""
    monkeypatch.chdir(ROOT)
    model = init_model(CONFIGS / 'full' / 'pointmae_mini_shapes.py')
    assert Path(model.backbone.checkpoint).stat().st_size < 8 * 2**20
    assert set(model.state_dict()) - set(model.base_state()) == {
        'backbone.cls_token',
        'backbone.cls_pos',
        *(f'head.{name}' for name in model.head.state_dict()),
    }
