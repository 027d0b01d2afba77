"""Models with the golden weights, all through the converter and ``init_model``, built once per session."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import golden_inputs
import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel

from point_peft.apis import init_model
from point_peft.engine.config import load_config

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'

CONFIG_OF = {
    'pointmae_prior_eval': 'pretrain/pointmae_shapenet55.py',
    'pointmae_cls': 'full/pointmae_scanobjnn.py',
    'pointmae_cls_modelnet': 'full/pointmae_modelnet40.py',
    'pointbert_cls': 'full/pointbert_scanobjnn.py',
    'pointm2ae_cls': 'full/pointm2ae_scanobjnn.py',
    'pointm2ae_cls_modelnet': 'full/pointm2ae_modelnet40.py',
    'recon_cls': 'full/recon_scanobjnn.py',
    'pointgpt_s_cls': 'full/pointgpt_s_scanobjnn.py',
    'pointm2ae_prior_eval': 'point_peft/release/pointm2ae_prior.py',
    'pointmae_partseg': 'full/pointmae_shapenetpart.py',
    'pointbert_partseg': 'full/pointbert_shapenetpart.py',
    'pointm2ae_partseg': 'full/pointm2ae_shapenetpart.py',
    'recon_partseg': 'full/recon_shapenetpart.py',
    'pointgpt_s_partseg': 'full/pointgpt_s_shapenetpart.py',
    'gaprompt_cls': 'gaprompt/release/pointmae_scanobjnn.py',
    'pointlora_cls': 'pointlora/pointmae_scanobjnn.py',
    'dapt_cls': 'dapt/release/pointmae_scanobjnn.py',
    'idpt_cls': 'idpt/release/pointmae_scanobjnn.py',
    'idpt_partseg': 'idpt/release/pointmae_shapenetpart.py',
    'ppt_cls': 'ppt/release/pointmae_scanobjnn.py',
    'ppt_partseg': 'ppt/release/pointmae_shapenetpart.py',
    'pointpeft_mae': 'point_peft/release/pointmae_scanobjnn.py',
    'pointpeft_m2ae': 'point_peft/release/pointm2ae_scanobjnn.py',
}


def golden_config(key: str) -> Config:
    """The config for a golden model, with as many classes as that has: Point-BERT's has 40 for ScanObjectNN, too."""
    cfg = load_config(CONFIGS / CONFIG_OF[key])
    biases = [
        s for name, s in golden_inputs.description(key)['state0'] if re.fullmatch(r'.*cls_head.*\.bias', name)
    ]
    if biases:
        (cfg.model.head.num_classes,) = biases[-1]
    return cfg


Publish = Callable[..., Path]
Convert = Callable[..., Path]


@pytest.fixture(scope='session')
def publish(tmp_path_factory: pytest.TempPathFactory) -> Publish:
    """Function that writes golden weights as their authors publish them."""
    folder = tmp_path_factory.mktemp('published')

    def write(key: str, *, model: int = 0, rule: str = 'B') -> Path:
        file = folder / f'{key}_{model}_{rule}.pth'
        if not file.exists():
            state = golden_inputs.weights(golden_inputs.description(key)[f'state{model}'], rule)
            state = {f'module.{name}': value for name, value in state.items()}
            torch.save({'base_model': state, 'epoch': 300, 'metrics': {}, 'optimizer': {}}, file)
        return file

    return write


@pytest.fixture(scope='session')
def convert(
    tmp_path_factory: pytest.TempPathFactory, publish: Publish, load_tool: Callable[[str], ModuleType]
) -> Convert:
    """Function that converts golden weights with the tool's own main function, each once."""
    folder = tmp_path_factory.mktemp('converted')
    tool = load_tool('model_converters/convert_official.py')

    def run(key: str, rule: str = 'B') -> Path:
        file = folder / f'{key}_{rule}.pth'
        if file.exists():
            return file
        args = argparse.Namespace(
            src=str(publish(key, rule=rule)), dst=str(file), prior=None, memory_bank=None
        )
        if 'state1' in golden_inputs.description(key):
            args.prior = str(publish(key, model=1, rule=rule))
            args.memory_bank = str(folder / 'train_f_pos_shape_scan.pt')
            torch.save(golden_inputs.memory_bank(), args.memory_bank)
        tool.main(args)
        return file

    return run


@pytest.fixture(scope='session')
def golden_model(convert: Convert) -> Callable[[str], BaseModel]:
    """Function that gives the model of a golden key in eval mode and float32, each built once."""
    built: dict[str, BaseModel] = {}

    def get(key: str) -> BaseModel:
        if key not in built:
            built[key] = init_model(golden_config(key), convert(key))
        return built[key].float().eval()

    return get
