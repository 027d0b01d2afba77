"""Two processes that divide small tuned models among them; :mod:`test_sharding` looks at what they find."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.distributed as torch_dist
from small_models import NUM_CLASSES, build_classifier, clouds, fill_bank, methods_for
from torch import Tensor, nn
from torch.distributed import fsdp
from torch.distributed.fsdp.wrap import lambda_auto_wrap_policy
from torch.nn import functional as F

from point_peft.models import PointClassifier

fully_shard = getattr(fsdp, 'fully_shard', None)
LABELS = torch.arange(8) % NUM_CLASSES
WAYS = {
    'fsdp2': 'PointMAE',
    'fsdp2 by block': 'PointMAE',
    'fsdp2 by block, kept whole': 'PointGPT',
    'fsdp2 of all streams': 'ReCon',
    'fsdp1': 'ACT',
    'fsdp1 by block': 'PointM2AE',
}
"""How models are divided, and a backbone to try it with."""


def build(name: str) -> PointClassifier:
    """Point-PEFT with a filled bank, whose tuned biases have moved."""
    model = build_classifier(methods_for(name)['point_peft'], name=name)
    with torch.no_grad():
        for moved in model.backbone.tuned_names:
            model.backbone.backbone.get_parameter(moved).add_(0.1)
    fill_bank(model)
    return model


def backward(model: nn.Module, part: slice) -> Tensor:
    """Logits of some of eight clouds, after a backward through their mean loss."""
    output = model(dict(points=clouds(8, seed=9)[part]))
    F.cross_entropy(output, LABELS[part]).backward()
    return output.detach()


def shard(model: PointClassifier, way: str) -> nn.Module:
    """Divide a model."""
    blocks = list(model.backbone.backbone.layers)
    if way.startswith('fsdp2'):
        for block in blocks if 'block' in way else ():
            fully_shard(block, reshard_after_forward='kept' not in way)
        return fully_shard(model)
    policy = partial(lambda_auto_wrap_policy, lambda_fn=lambda module: any(module is b for b in blocks))
    return fsdp.FullyShardedDataParallel(
        model,
        auto_wrap_policy=policy if 'block' in way else None,
        use_orig_params=True,
        device_id=torch.device('cpu'),
    )


def gradients(model: nn.Module) -> dict[str, Tensor]:
    """Whole gradients by name."""
    if not isinstance(model, fsdp.FullyShardedDataParallel):
        return {n: p.grad.full_tensor() for n, p in model.named_parameters() if p.requires_grad}
    with fsdp.FullyShardedDataParallel.summon_full_params(model, with_grads=True):
        return {
            name.replace('_fsdp_wrapped_module.', ''): parameter.grad.clone()
            for name, parameter in model.named_parameters()
            if parameter.requires_grad
        }


def refusal(model: PointClassifier) -> str:
    """What is said when a divided model is to be detached."""
    try:
        model.backbone.detach()
    except ValueError as error:
        return str(error)
    return ''


def refused_forward(model: nn.Module) -> str:
    """What is said to a forward."""
    try:
        model(dict(points=clouds()))
    except ValueError as error:
        return str(error)
    return ''


def work(rank: int, port: int, folder: str) -> None:
    """One of two processes: every way of dividing, with half of the clouds each."""
    torch.set_num_threads(1)
    address = f'tcp://127.0.0.1:{port}'
    torch_dist.init_process_group('gloo', init_method=address, rank=rank, world_size=2)
    found: dict[str, Any] = {}
    for way, name in WAYS.items():
        if way.startswith('fsdp2') and fully_shard is None:
            continue
        model = shard(build(name), way)
        logits = backward(model, slice(4 * rank, 4 * rank + 4))
        found[way] = logits, gradients(model), refusal(model)
    if fully_shard is not None:
        found['refused'] = refused_forward(shard(build('ReCon'), 'fsdp2 by block'))
    torch.save(found, Path(folder) / f'{rank}.pth')
    torch_dist.destroy_process_group()
