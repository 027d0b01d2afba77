"""Models that are small enough to test properties in milliseconds, with weights at which every part matters."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor, nn
from torch.nn import functional as F

from point_peft.backbones import PointBackbone
from point_peft.engine.config import load_config
from point_peft.engine.fitting import Provenance, expected_provenance, fit_method, save_fitted
from point_peft.methods import FittedMethod, PointPriorPrompt, fitted_methods
from point_peft.models import PointClassifier
from point_peft.registry import MODELS
from point_peft.structures import PointDataSample

ROOT = Path(__file__).resolve().parents[1]
NUM_CLASSES = 5

PLAIN = dict(
    embed_dim=48,
    depth=4,
    num_heads=3,
    num_groups=16,
    group_size=8,
    patch_dims=(16, 32, 64),
    drop_path_rate=0.2,
)

SMALL_BACKBONES: dict[str, dict[str, Any]] = {
    'PointMAE': PLAIN,
    'ACT': PLAIN,
    'PointBERT': PLAIN | dict(patch_dim=40),
    'ReCon': PLAIN,
    'PointGPT': PLAIN,
    'PointM2AE': dict(
        embed_dims=(12, 24, 48),
        depths=(1, 1, 2),
        num_heads=3,
        num_groups=(32, 16, 8),
        group_size=(8, 4, 4),
        local_radius=(1.5, 2.0, 2.5),  # some tokens of a cloud of :func:`clouds` are within, some are not
        patch_dims=(16, 32, 64),
        drop_path_rate=0.2,
    ),
}
"""A small config of every registered backbone, by name; the tests of the contract run over all of them."""

HEADS: dict[str, dict[str, Any]] = {
    'PointGPT': dict(pool=('cls', 'max'), token_norm=True),
    'PointM2AE': dict(pool=('mean', 'max')),
}
"""Changes to the head that go with a backbone."""

BACKBONE = dict(type='PointMAE', **SMALL_BACKBONES['PointMAE'])

POINT_PEFT = [
    dict(type='PointPriorPrompt', num_tokens=6, num_prior_groups=8),
    dict(type='BottleneckAdapter', dim=4),
    dict(type='GeometryAwareAdapter', num_neighbors=4),
    dict(type='SelectiveTuning'),
]
"""The pieces of configs/_base_/methods/point_peft.py, at the size of the small backbones."""

METHODS = {
    'point_peft': POINT_PEFT,
    'adapter': [dict(type='BottleneckAdapter', dim=4)],
    'geometry': [dict(type='GeometryAwareAdapter', num_neighbors=4)],
    'prompt': [dict(type='PointPriorPrompt', num_tokens=6, num_prior_groups=8)],
    'bitfit': [dict(type='SelectiveTuning')],
    'lora': [dict(type='LoRA', rank=2)],
    'vpt_deep': [dict(type='VPTDeep', num_tokens=3)],
    'linear_probe': [],
}


def sizes(embed_dim: int = 48, **others: Any) -> Any:
    """What heads ask of a backbone, without one: of a plain transformer of four blocks with a class token.

    Args:
        embed_dim (int): Token dimension.
        others: Other values of :class:`~point_peft.backbones.AnyBackbone`.
    """
    known = dict(num_prefix_tokens=1, num_kept_tokens=0, num_groups=16, layer_dims=[embed_dim] * 4)
    return SimpleNamespace(embed_dim=embed_dim, **(known | dict(decoder_layers=[[0, 1, 3]]) | others))


def methods_for(name: str) -> dict[str, list[dict[str, Any]]]:
    """The pieces of every method as they fit a backbone: a hierarchy has prompts in all blocks and an uncut prior."""
    if name != 'PointM2AE':
        return METHODS
    whole = dict(layers='all', num_prior_groups=None)
    return {
        method: [hook | whole if hook['type'] == 'PointPriorPrompt' else hook for hook in methods]
        for method, methods in METHODS.items()
    }


def small_config_of(name: str, **changes: Any) -> dict[str, Any]:
    """The config of a small backbone.

    Raises:
        AssertionError: If the backbone has none yet.
    """
    assert name in SMALL_BACKBONES, (
        f'the backbone {name} has no small config: add one to SMALL_BACKBONES in tests/small_models.py '
        '(a few blocks and groups, no more than 64 points), so that the tests of the contract run over it.'
    )
    return dict(type=name, **SMALL_BACKBONES[name]) | changes


def clouds(batch: int = 4, num_points: int = 64, *, seed: int = 0) -> Tensor:
    """(B, N, 3) random clouds."""
    return torch.randn(batch, num_points, 3, generator=torch.Generator().manual_seed(seed))


def samples(labels: Sequence[int]) -> list[PointDataSample]:
    """Data samples with these labels."""
    found = []
    for index, label in enumerate(labels):
        sample = PointDataSample(metainfo=dict(sample_idx=index, source=f'toy.h5[{index}]'))
        sample.gt_label = torch.tensor(label)
        found.append(sample)
    return found


def scramble(module: nn.Module, *, seed: int = 1) -> None:
    """Give all parameters and batch-norm statistics values at the scale of trained ones."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            fan_in = parameter[0].numel() if parameter.dim() > 1 else 100
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * fan_in**-0.5)
        for layer in module.modules():
            if isinstance(layer, (nn.LayerNorm, nn.BatchNorm1d)) and layer.weight is not None:
                layer.weight += 1
            if isinstance(layer, nn.BatchNorm1d):
                layer.running_mean.copy_(0.1 * torch.randn(layer.running_mean.shape, generator=generator))
                layer.running_var.copy_(1 + 0.2 * torch.rand(layer.running_var.shape, generator=generator))


def build_plain(name: str = 'PointMAE', **changes: Any) -> PointBackbone:
    """A plain backbone in eval mode, always with the same weights."""
    backbone = MODELS.build(small_config_of(name, **changes))
    scramble(backbone)
    return backbone.eval()


def build_classifier(
    methods: Sequence[dict[str, Any]] | None = None,
    *,
    name: str = 'PointMAE',
    fresh: bool = False,
    head: dict[str, Any] | None = None,
    auxiliary_head: dict[str, Any] | None = None,
    **changes: Any,
) -> PointClassifier:
    """A classifier in eval mode on the backbone of :func:`build_plain`.

    Args:
        methods: Tuning methods; None means full fine-tuning.
        name (str): Which backbone.
        fresh (bool): Leave the methods at their own initial values.
        head (dict | None): Changes to the head.
        auxiliary_head (dict | None): Config of the auxiliary head.
        changes: Changes to the backbone.
    """
    torch.manual_seed(0)
    peft = None if methods is None else dict(type='PEFTBackbone', methods=list(methods))
    head = (
        dict(type='PointClsHead', num_classes=NUM_CLASSES, hidden_dims=(16,))
        | HEADS.get(name, {})
        | (head or {})
    )
    model = PointClassifier(small_config_of(name, **changes), head, peft=peft, auxiliary_head=auxiliary_head)
    scramble(model.head, seed=2)
    plain = build_plain(name, **changes)
    if methods is None:
        model.backbone.load_state_dict(plain.state_dict())
        return model.eval()
    model.backbone.backbone.load_state_dict(plain.state_dict())
    model.backbone.init_weights()  # takes the pre-trained values over
    if not fresh:
        scramble(model.backbone.methods, seed=3)
    return model.eval()


def fill_bank(model: nn.Module, rows: int = 20, *, seed: int = 4) -> None:
    """Fill the memory banks with random features."""
    for method in fitted_methods(model).values():
        method.bank.fill(torch.randn(rows, method.bank.dim, generator=torch.Generator().manual_seed(seed)))


def fitted_of(model: nn.Module) -> Any:
    """The only method in a model that is fitted before training."""
    (method,) = fitted_methods(model).values()
    return method


def unfitted_prompt() -> PointPriorPrompt:
    """The Point-prior Prompt of the small backbone alone, with an empty bank."""
    method = MODELS.build(METHODS['prompt'][0])
    method.setup(build_plain())
    return method


def fit(model: Any, dataset: Any, **options: Any) -> Provenance:
    """Fit the only method of a model that is fitted."""
    return fit_method(model, fitted_of(model), dataset, **options)


def expected_of(model: Any, dataset: Any = None) -> Provenance:
    """What it must have been fitted on."""
    return expected_provenance(model, fitted_of(model), dataset)


def save_as(file: Path, method: FittedMethod, provenance: Provenance) -> None:
    """Write a state with an origin that need not be its own."""
    method.fitted_on = provenance
    save_fitted(file, method)


def logits(model: nn.Module, points: Tensor) -> Tensor:
    """Raw logits (B, classes), without a graph."""
    with torch.no_grad():
        return model(dict(points=points), mode='tensor')


def train(model: PointClassifier, *, steps: int = 3, lr: float = 0.05, seed: int = 0) -> list[float]:
    """Train on one batch with everything random left on; the losses."""
    torch.manual_seed(seed)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=lr)
    points, labels = clouds(8, seed=9), torch.arange(8) % NUM_CLASSES
    model.train()
    losses = []
    for _ in range(steps):
        loss = F.cross_entropy(model(dict(points=points), mode='tensor'), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    model.eval()
    return losses


def state_of(module: nn.Module) -> dict[str, Tensor]:
    """A copy of a module's state."""
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


def small_config(folder: Path, *, method: str = 'point_peft', checkpoint: Path | None = None) -> Config:
    """A complete config for the built-in shapes on the small backbone, with the files in ``folder``."""
    cfg = load_config(ROOT / 'configs' / 'point_peft' / 'pointmae_mini_shapes.py')
    init_cfg = None if checkpoint is None else dict(type='Pretrained', checkpoint=str(checkpoint))
    cfg.model.backbone = dict(BACKBONE, init_cfg=init_cfg)
    cfg.model.peft = dict(type='PEFTBackbone', methods=METHODS[method])
    cfg.model.head.hidden_dims = (16,)
    cfg.data_preprocessor.num_points = 64
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        cfg[loader].dataset.num_samples = 32
        cfg[loader].dataset.num_points = 64
    cfg.work_dir = str(folder)
    return cfg


def write_pretrained(file: Path, *, seed: int = 1) -> Path:
    """Write a pre-trained file of the small backbone in the published layout, with weights of this seed."""
    backbone = build_plain(class_token=False)
    scramble(backbone, seed=seed)
    state = {f'module.MAE_encoder.{name}': value for name, value in backbone.state_dict().items()}
    torch.save({'base_model': state, 'epoch': 300}, file)
    return file
