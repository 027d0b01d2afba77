"""Files of models whose frozen weights are stored in bfloat16, and of those whose are not."""

from __future__ import annotations

import uuid
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.runner import Runner
from small_models import (
    BACKBONE,
    NUM_CLASSES,
    logits,
    small_config,
    state_of,
    train,
    write_pretrained,
)
from stored_models import LORA, POINTS, step

from point_peft.adapters import (
    delete_adapter,
    get_peft_model,
    load_adapter,
    merge_and_unload,
    save_adapter,
    set_adapter,
)
from point_peft.apis import init_model
from point_peft.apis.training_flags import TrainingFlags, apply_flags
from point_peft.engine.checkpoint import (
    adapter_state,
    base_fingerprint,
    describe_checkpoint,
    full_state,
    load_weights,
)
from point_peft.io.errors import BaseWeightsMismatchError, InvalidValueError
from point_peft.io.weights import OWN_KEY, load_checkpoint_file, save_checkpoint
from point_peft.methods import FoldingError
from point_peft.methods.frozen_storage import storage_of
from point_peft.models import PointClassifier
from point_peft.registry import MODELS


def pretrained_model(file: Path, frozen_dtype: str | None = None, methods: Any = LORA) -> PointClassifier:
    """A classifier with LoRA on weights of a file, with the same random values each time."""
    torch.manual_seed(0)
    model = MODELS.build(
        dict(
            type='PointClassifier',
            backbone=dict(BACKBONE, init_cfg=dict(type='Pretrained', checkpoint=str(file))),
            peft=dict(type='PEFTBackbone', methods=methods, frozen_dtype=frozen_dtype),
            head=dict(type='PointClsHead', num_classes=NUM_CLASSES, hidden_dims=(16,)),
        )
    )
    return model.eval()


def adapter_of(model: PointClassifier) -> dict[str, Any]:
    """Content of the file of its adapter."""
    return dict(state_dict=adapter_state(model), meta={OWN_KEY: describe_checkpoint(model, 'delta')})


@pytest.fixture(scope='module')
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pre-trained file."""
    return write_pretrained(tmp_path_factory.mktemp('weights') / 'pretrain.pth')


def test_base_is_that_of_the_file(weights: Path) -> None:
    """Its hash is of the weights as loaded, and neither a copy nor loading again changes it; no weight is saved."""
    plain, model = pretrained_model(weights), pretrained_model(weights, 'bfloat16')
    for one in (plain, model):
        one.init_weights()
    expected = base_fingerprint(plain)
    assert model.backbone.backbone.blocks.blocks[0].mlp.fc1.weight.dtype == torch.bfloat16
    assert dict(base_fingerprint(model).tensors) == dict(expected.tensors)
    assert base_fingerprint(model).hash == base_fingerprint(deepcopy(model)).hash == expected.hash is not None
    assert set(adapter_state(model)) == set(adapter_state(plain))
    load_weights(model, adapter_of(plain))
    load_weights(model, adapter_of(model))
    assert base_fingerprint(deepcopy(model)).hash == expected.hash
    assert set(adapter_state(model)) == set(adapter_state(plain))


def test_other_base_is_refused(weights: Path, tmp_path: Path) -> None:
    other = pretrained_model(write_pretrained(tmp_path / 'other.pth', seed=7), 'bfloat16')
    model = pretrained_model(weights, 'bfloat16')
    model.init_weights()
    with pytest.raises(BaseWeightsMismatchError, match='is an adapter for base weights'):
        load_weights(other, adapter_of(model))


@pytest.mark.parametrize('saving', [None, 'bfloat16'])
def test_adapters_of_each_other(weights: Path, saving: str | None, tmp_path: Path) -> None:
    """An adapter file of one storage is loaded by a model of the other, which computes as it should."""
    source = pretrained_model(weights, saving)
    source.init_weights()
    base_fingerprint(source)
    train(source, steps=2)
    content, file = adapter_of(source), tmp_path / 'adapter.pth'
    save_checkpoint(file, content['state_dict'], content['meta'])
    models = [pretrained_model(weights, dtype) for dtype in (None, 'bfloat16')]
    for model in models:
        report = load_weights(model, file)
        assert not report.missing and not report.unexpected
        load_weights(model, file)  # the base is still known
    same = models[1 if saving else 0]
    assert torch.equal(logits(same, POINTS), logits(source, POINTS))
    one, two = (step(model, torch.bfloat16) for model in models)
    assert torch.equal(one[0], two[0]) and all(
        torch.equal(two[1][key], value) for key, value in one[1].items()
    )


@pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
def test_complete_files(weights: Path, suffix: str, tmp_path: Path) -> None:
    """A whole model goes from each storage to each, without the pre-trained file."""
    files, models = {}, {}
    for dtype in (None, 'bfloat16'):
        models[dtype] = model = pretrained_model(weights, dtype)
        model.init_weights()
        base_fingerprint(model)
        files[dtype] = tmp_path / f'{dtype}.{suffix}'
        save_checkpoint(files[dtype], full_state(model), {OWN_KEY: describe_checkpoint(model, 'full')})
    assert files['bfloat16'].stat().st_size < 0.7 * files[None].stat().st_size
    for saved in (None, 'bfloat16'):
        for dtype in (None, 'bfloat16'):
            model = pretrained_model(tmp_path / 'absent.pth', dtype)
            load_weights(model, files[saved])
            same = models['bfloat16' if 'bfloat16' in (saved, dtype) else None]
            kept = model.backbone.backbone.blocks.blocks[0].mlp.fc1.weight.dtype
            assert kept == (torch.bfloat16 if dtype else torch.float32)
            assert torch.equal(logits(model, POINTS), logits(same, POINTS))


def test_hash_follows_what_is_loaded(weights: Path) -> None:
    """Weights that are rounded to the same bits are other weights; those that come back rounded are the same."""
    model = pretrained_model(weights, 'bfloat16')
    model.init_weights()
    storage, backbone = storage_of(model.backbone.backbone), model.backbone.backbone
    name, before = storage.names[0], dict(storage.exact)
    state = state_of(model)
    model.load_state_dict(state)
    assert storage.exact == before
    key = f'backbone.backbone.{name}'
    model.load_state_dict({**state, key: state[key].float() * (1 + 2**-12)})
    assert torch.equal(backbone.get_parameter(name), state[key])
    assert {other for other in before if storage.exact[other] != before[other]} == {name}


def test_training_and_inference(weights: Path, tmp_path: Path) -> None:
    """A training with ``--amp`` has the losses and the adapter of one without, and ``init_model`` loads each."""
    states, configs = [], []
    for number, dtype in enumerate((None, 'bfloat16')):
        cfg = small_config(tmp_path / str(number), method='lora', checkpoint=weights)
        if dtype:
            cfg.model.peft.frozen_dtype = dtype
        apply_flags(cfg, TrainingFlags('c.py', amp=True, amp_dtype='bfloat16'))
        cfg.experiment_name = uuid.uuid4().hex
        cfg.train_cfg.max_epochs = 1
        for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
            loader.num_workers, loader.persistent_workers = 0, False
        runner = Runner.from_cfg(cfg)
        runner.train()
        states.append(load_checkpoint_file(tmp_path / str(number) / 'epoch_1.pth'))
        configs.append(cfg)
    one, two = states
    assert one['meta'][OWN_KEY]['base_hash'] == two['meta'][OWN_KEY]['base_hash'] is not None
    assert one['state_dict'].keys() == two['state_dict'].keys()
    assert all(torch.equal(two['state_dict'][key], value) for key, value in one['state_dict'].items())
    for cfg in configs:
        models = [init_model(cfg, tmp_path / number / 'epoch_1.pth') for number in '01']
        assert torch.equal(*(logits(model, POINTS) for model in models))


def test_several_adapters(weights: Path, tmp_path: Path) -> None:
    """They share the stored backbone, and one of them goes to a model in float32."""
    model, plain = pretrained_model(weights, 'bfloat16'), pretrained_model(weights, methods=[])
    for one in (model, plain):
        one.init_weights()
    before, trained = logits(model, POINTS), step(model, torch.bfloat16)[0]
    get_peft_model(model, 'vpt_deep', name='prompts', num_tokens=3)
    set_adapter(model, 'default')
    assert torch.equal(logits(model, POINTS), before)
    load_adapter(plain, save_adapter(model, tmp_path / 'lora', 'default'), 'lora')
    assert torch.equal(step(plain, torch.bfloat16)[0], trained)
    with pytest.raises(
        InvalidValueError, match='DoRA cannot tune a backbone whose frozen weights are stored'
    ):
        get_peft_model(model, 'dora', name='dora', rank=2)
    assert torch.equal(logits(model, POINTS), before)
    delete_adapter(model, 'prompts')
    with pytest.raises(FoldingError, match='frozen weights are stored in bfloat16'):
        merge_and_unload(model)


def test_adapter_of_a_model_in_float32(weights: Path, tmp_path: Path) -> None:
    """The other way round."""
    source, model = pretrained_model(weights), pretrained_model(weights, 'bfloat16', [])
    for one in (source, model):
        one.init_weights()
    load_adapter(model, save_adapter(source, tmp_path / 'lora'), 'lora')
    assert torch.equal(step(model, torch.bfloat16)[0], step(source, torch.bfloat16)[0])
