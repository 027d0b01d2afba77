"""Every combination of parts and every file: has no typo, builds, and runs without any other file; files are short."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from golden_configs import NAMES
from mmengine.config import Config
from mmengine.registry import init_default_scope

from point_peft.apis import init_model
from point_peft.engine.config import Combination, load_config, part_files, reason_against
from point_peft.engine.config.check import check_config
from point_peft.methods import PEFTBackbone
from point_peft.models import PointClassifier
from point_peft.registry import MODELS

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / 'configs'
FRAGMENTS = sorted((CONFIGS / '_base_').rglob('*.py'))
DETECTION = ('_scannet', '_sunrgbd', '_shapes_scene')
"""Ends of the names of detection configs; the detectors are built in tests/test_detection, with mmdet3d."""

FILES = sorted(path for path in CONFIGS.rglob('*.py') if '_base_' not in path.parts)
LEAVES = [path for path in FILES if not path.stem.endswith(DETECTION)]
SMALL = sorted({CONFIGS / f'{name}.py' for name in NAMES if 'mini' in name}.union(LEAVES))
SMALL = [path for path in SMALL if 'mini' in path.stem and not path.stem.endswith((*DETECTION, '_seg'))]
"""Those of scene segmentation are run in tests/test_scene_seg."""

BACKBONES = ('pointmae', 'pointbert', 'pointm2ae', 'recon', 'act', 'pointgpt_s', 'pointgpt_b', 'pointgpt_l')
DATASETS = ('scanobjnn', 'modelnet40', 'modelnet10', 'shapes')
METHODS = ('point_peft', 'linear_probe', 'full', 'lora', 'vpt_deep')

ONE_OF_EACH = ('scanobjnn', 'modelnet40', 'fewshot_shapes', 'shapenetpart', 's3dis_seg', 'votenet_scannet')
"""Tasks of every kind. All are tried with two methods on every backbone, and with every method on the mini one."""

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


@pytest.mark.parametrize('path', FILES, ids=names(FILES))
def test_file(path: Path) -> None:
    """Short, and says what it is."""
    lines = path.read_text().splitlines()
    assert len(lines) <= MAX_LINES.get(path.parent.name, 30) and lines[0].startswith('"""')


@every_leaf
def test_leaf(path: Path) -> None:
    """Inherits the runtime, and has no typo."""
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
    cfg = load_config(path)
    with torch.device('meta'):
        model = init_model(path, device='meta')
    if cfg.model.type != 'PointDescriptor':
        check_trained(model, cfg, path.parent.name, path.stem)


FOLDER = 'folder'
"""Task that asks its data for the number of classes."""


@pytest.mark.parametrize('backbone', part_files('backbone'))
@pytest.mark.parametrize('method', part_files('method'))
@pytest.mark.usefixtures('nowhere')
def test_every_combination(method: str, backbone: str) -> None:
    """What is not refused has no typo and builds; each model once. Of detectors, the encoder with its neck."""
    init_default_scope('point_peft')
    built: list[dict[str, Any]] = []
    every_task = method in ('full', 'point_peft') or backbone == 'pointmae_mini'
    tasks = part_files('task') if every_task else ONE_OF_EACH
    for combination in (Combination(method, backbone, task) for task in tasks):
        if reason_against(combination):
            continue
        cfg = load_config(str(combination), {} if combination.task != FOLDER else {'num_classes': 4})
        detector = combination.task.endswith(DETECTION)
        if not detector:
            check_config(cfg)
        said = {name: cfg.model[name] for name in (('backbone',) if detector else cfg.model)}
        if said in built:
            continue
        built.append(said)
        with torch.device('meta'):
            if not detector:
                model = init_model(cfg, device='meta')
                check_trained(model, cfg, method, f'{backbone}_{combination.task}')
                continue
            encoder = MODELS.build(cfg.model.backbone)
        widths = [sum(encoder.backbone.layer_dims[layer] for layer in stage) for stage in encoder.stages]
        assert sum(widths) == encoder.neck.layers[0].in_features, combination
        of_neck = {id(p) for p in encoder.neck.parameters()}
        pretrained = {name: p for name, p in encoder.named_parameters() if id(p) not in of_neck}
        frozen = [name for name, p in pretrained.items() if not p.requires_grad]
        if method == 'full':
            assert all(name.startswith(WITHOUT_ROLE + IN_SEGMENTATION) for name in frozen), combination
        else:
            assert frozen and (len(frozen) == len(pretrained)) == (method == 'linear_probe')
    assert len(built) >= 2


def check_trained(model: Any, cfg: Config, method: str, name: str) -> None:
    """Full fine-tuning trains everything that has a role, linear probing the head, the others little else."""
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    total = sum(p.numel() for p in model.parameters())
    assert 0 < trainable <= total
    if isinstance(model, PointClassifier):
        check_classifier(model, cfg, method)
    if method in ('full', 'pretrain'):
        frozen = [name for name, p in model.named_parameters() if not p.requires_grad]
        of_task = IN_CLASSIFICATION if isinstance(model, PointClassifier) else IN_SEGMENTATION
        assert all(name.startswith(WITHOUT_ROLE + of_task) for name in frozen)
        assert bool(frozen) == name.startswith('pointgpt')
        return
    in_head = sum(p.numel() for p in model.head.parameters())
    if method == 'linear_probe':
        assert trainable == in_head
    elif 'mini' not in name:  # of the backbone, since decoders are large
        assert trainable - in_head < 0.12 * (total - in_head)


def check_classifier(model: PointClassifier, cfg: Config, method: str) -> None:
    """As many classes as the dataset has; a wrapper where something is tuned; linear probing is linear."""
    assert model.head.num_classes == cfg.num_classes
    assert isinstance(model.backbone, PEFTBackbone) == ('peft' in cfg.model)
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
        'point_peft/fast/pointmae_scanobjnn',
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
    """Every backbone and dataset with every method."""
    for method in METHODS:
        for dataset in (*DATASETS, 'scanobjnn_objbg', 'scanobjnn_objonly', 'folder'):
            assert reason_against(Combination(method, backbone, dataset)) is None


def test_leaves_say_what_they_are() -> None:
    """No two leaves have the same first line, as would happen when one is copied."""
    titles = [path.read_text().splitlines()[0] for path in FILES]
    assert len(set(titles)) == len(titles)


SAME_BETWEEN_METHODS = ('optim_wrapper', 'param_scheduler', 'train_cfg', 'train_dataloader', 'auto_scale_lr')


@pytest.mark.parametrize(
    'leaf', [*(f'{b}_{d}' for b in BACKBONES for d in ('scanobjnn', 'modelnet40')), 'pointmae_mini_shapes']
)
def test_one_change_between_methods(leaf: str) -> None:
    """Leaves of one dataset differ in model and peft only, so that methods can be compared.

    ReCon and PointGPT have a published schedule of their own for full fine-tuning; a frozen Point-M2AE keeps the norms
    that its descriptor uses.
    """
    reference, *others = (load_config(CONFIGS / method / f'{leaf}.py') for method in METHODS)
    for cfg in others:
        tuned = 'peft' in cfg.model
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
