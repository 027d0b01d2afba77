"""No tool makes a new file of weights with a NaN in them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch
from small_models import small_config, write_pretrained
from torch import Tensor

from point_peft.apis import init_model
from point_peft.engine.checkpoint import adapter_state, describe_checkpoint
from point_peft.io.errors import CheckpointError, NonFiniteWeightsError
from point_peft.io.weights import OWN_KEY, load_checkpoint_file, save_checkpoint
from point_peft.models import PointMAEPretrain

BROKEN = 'MAE_encoder.norm.weight'


@pytest.fixture
def pretraining() -> dict[str, Tensor]:
    """Tensors of a small pre-training, one of them with an infinity."""
    encoder = dict(type='PointMAE', embed_dim=64, depth=1, num_heads=1, group_size=8, class_token=False)
    state = dict(PointMAEPretrain(encoder, decoder_depth=1, decoder_num_heads=1).state_dict())
    state[BROKEN] = state[BROKEN].clone()
    state[BROKEN][5] = float('-inf')
    return state


def test_convert(
    load_tool: Callable[[str], ModuleType], pretraining: dict[str, Tensor], tmp_path: Path
) -> None:
    torch.save(dict(base_model=pretraining), tmp_path / 'src.pth')
    args = dict(src=str(tmp_path / 'src.pth'), dst=str(tmp_path / 'out.pth'), prior=None, memory_bank=None)
    with pytest.raises(NonFiniteWeightsError, match=r'src\.pth has a NaN or an infinity in .*norm\.weight'):
        load_tool('model_converters/convert_official.py').main(argparse.Namespace(**args))
    assert not (tmp_path / 'out.pth').exists()


def test_publish(
    load_tool: Callable[[str], ModuleType], pretraining: dict[str, Tensor], tmp_path: Path
) -> None:
    torch.save(dict(state_dict=pretraining, meta={}), tmp_path / 'src.pth')
    args = argparse.Namespace(
        checkpoint=str(tmp_path / 'src.pth'), out=str(tmp_path / 'out.safetensors'), half=False
    )
    with pytest.raises(NonFiniteWeightsError, match=r'src\.pth has a NaN or an infinity in norm\.weight'):
        load_tool('model_converters/publish_model.py').main(args)
    assert not (tmp_path / 'out.safetensors').exists()


@pytest.mark.parametrize('number', [float('nan'), 0.5])
def test_merge(load_tool: Callable[[str], ModuleType], tmp_path: Path, number: float) -> None:
    """Where the number is a number, the joined file says of which network it is and loads alone."""
    cfg = small_config(tmp_path, method='lora', checkpoint=write_pretrained(tmp_path / 'pretrain.pth'))
    cfg.dump(tmp_path / 'config.py')
    model = init_model(cfg)
    name = 'head.cls_head_finetune.0.bias'
    state = {**adapter_state(model), name: torch.full_like(model.state_dict()[name], number)}
    save_checkpoint(tmp_path / 'a.pth', state, {OWN_KEY: describe_checkpoint(model, 'delta')})
    args = argparse.Namespace(
        config=str(tmp_path / 'config.py'),
        adapter=str(tmp_path / 'a.pth'),
        out=tmp_path / 'full.safetensors',
        cfg_options={},
    )
    main = load_tool('model_converters/join_adapter.py').main
    if number != number:
        with pytest.raises(NonFiniteWeightsError, match=rf'a\.pth has a NaN or an infinity in {name}'):
            main(args)
        assert not args.out.exists()
        return
    main(args)
    (tmp_path / 'pretrain.pth').unlink()
    full = init_model(cfg, args.out)
    assert full.state_dict()[name].eq(number).all()


def test_merge_of_rounded_weights(load_tool: Callable[[str], ModuleType], tmp_path: Path) -> None:
    """The joined file has the weights of the pre-trained one; a whole model that has rounded ones is refused."""
    pretrained = write_pretrained(tmp_path / 'pretrain.pth')
    cfg = small_config(tmp_path, method='lora', checkpoint=pretrained)
    cfg.model.peft.frozen_dtype = 'bfloat16'
    cfg.dump(tmp_path / 'config.py')
    model = init_model(cfg)
    adapter, whole, out = tmp_path / 'a.pth', tmp_path / 'whole.pth', tmp_path / 'full.safetensors'
    save_checkpoint(adapter, adapter_state(model), {OWN_KEY: describe_checkpoint(model, 'delta')})
    save_checkpoint(whole, model.state_dict(), {OWN_KEY: describe_checkpoint(model, 'full')})
    main = load_tool('model_converters/join_adapter.py').main
    args = dict(config=str(tmp_path / 'config.py'), out=out, cfg_options={})
    with pytest.raises(CheckpointError, match=r'whole\.pth is a complete checkpoint that has .* rounded'):
        main(argparse.Namespace(adapter=str(whole), **args))
    assert not out.exists()
    main(argparse.Namespace(adapter=str(adapter), **args))
    cfg.model.peft.frozen_dtype = None
    expected, joined = init_model(cfg, adapter).state_dict(), load_checkpoint_file(out)['state_dict']
    assert all(torch.equal(joined[name], value) for name, value in expected.items())
    assert {value.dtype for value in joined.values() if value.is_floating_point()} == {torch.float32}
