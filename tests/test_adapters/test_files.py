"""Adapters in folders and from trainings: they come back in another process, and nothing wrong is loaded."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import warm_python
from plain_network import SITES, network
from small_models import (
    METHODS,
    build_classifier,
    build_plain,
    clouds,
    expected_of,
    fill_bank,
    fitted_of,
    logits,
    scramble,
    train,
)
from torch import nn

from point_peft.adapters import (
    adapter_info,
    disable_adapter,
    get_peft_model,
    list_adapters,
    load_adapter,
    save_adapter,
    set_adapter,
)
from point_peft.engine.checkpoint import adapter_state, describe_checkpoint, load_weights
from point_peft.io.errors import PointPEFTError
from point_peft.io.weights import load_checkpoint_file, save_checkpoint
from point_peft.models import PointClassifier

CLASSES = ['a', 'b', 'c', 'd', 'e']


def trained(method: str = 'lora', **options: Any) -> PointClassifier:
    """A classifier with a trained adapter, its bank fitted if it has one."""
    model = build_classifier(None)
    get_peft_model(model, METHODS[method], **options)
    if method in ('prompt', 'point_peft'):
        fill_bank(model)
        fitted_of(model).fitted_on = dict(**expected_of(model), dataset='Toy', split='train', num_samples=20)
    train(model, steps=1)
    return model


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a LoRA with names of classes."""
    return save_adapter(trained(), tmp_path_factory.mktemp('adapter'), classes=CLASSES)


PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
import torch
from small_models import build_classifier, clouds, logits
from point_peft.apis import load_adapter, set_adapter

model = build_classifier(None)
for name in sys.argv[3:]:
    load_adapter(model, f'{sys.argv[2]}/{name}', name)
found = {}
for name in sys.argv[3:]:
    set_adapter(model, name)
    found[name] = logits(model, clouds())
torch.save(found, f'{sys.argv[2]}/found.pth')
"""


def test_another_process(tmp_path: Path) -> None:
    """Bit for bit, with three adapters, and what one of them was fitted on."""
    expected = {}
    for name in ('point_peft', 'vpt_deep', 'bitfit'):
        model = trained(name)
        expected[name] = logits(model, clouds())
        save_adapter(model, tmp_path / name)
    assert sorted(path.name for path in (tmp_path / 'point_peft').iterdir()) == [
        'README.md',
        'adapter.safetensors',
        'adapter_config.json',
        'memory_bank.safetensors',
    ]
    tests = Path(__file__).resolve().parents[1]
    done = warm_python.run([sys.executable, '-c', PROGRAM, tests, tmp_path, *expected])
    assert done.returncode == 0, done.stderr
    found = torch.load(tmp_path / 'found.pth', weights_only=True)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_folder(folder: Path) -> None:
    """It says what it is of, knows its classes, and goes beside others, in any order."""
    config = json.loads((folder / 'adapter_config.json').read_text())
    assert config['classes'] == CLASSES and config['head']['num_classes'] == 5
    assert config['methods'] == METHODS['lora'] and len(config['base_hash']) == 32
    model, expected = build_classifier(None), logits(trained(), clouds())
    get_peft_model(model, 'linear_probe', name='probe')
    load_adapter(model, folder, 'one')
    assert adapter_info(model).dataset_meta == dict(classes=CLASSES)
    set_adapter(model, 'probe')
    save_adapter(model, folder.parent / 'again', 'one')
    assert list_adapters(model) == ['probe', 'one']
    assert (folder.parent / 'again/adapter_config.json').read_text() == (
        folder / 'adapter_config.json'
    ).read_text().replace('"default"', '"one"')
    other = load_adapter(build_classifier(None), folder.parent / 'again')
    assert torch.equal(logits(other, clouds()), expected)


def test_a_fresh_class_token_is_the_adapters(tmp_path: Path) -> None:
    """Where pre-training gave the class token no value, every training has another one."""
    outputs = []
    for seed in (1, 2):
        model = with_fresh_token(seed)
        get_peft_model(model, [])
        outputs.append(logits(model, clouds()))
        save_adapter(model, tmp_path / str(seed))
    model = with_fresh_token(3)
    before = logits(model, clouds())
    for seed in (1, 2):
        load_adapter(model, tmp_path / str(seed), str(seed))
    for seed in (1, 2, 1):
        set_adapter(model, str(seed))
        assert torch.equal(logits(model, clouds()), outputs[seed - 1])
        with disable_adapter(model):
            assert torch.equal(logits(model, clouds()), before)


def test_equal_banks_are_there_once(tmp_path: Path) -> None:
    model = trained('prompt')
    save_adapter(model, tmp_path)
    load_adapter(model, tmp_path, 'b')
    one, two = (adapter_info(model, name).wrapper.methods[0].bank.keys for name in ('default', 'b'))
    assert len(one) == 20 and one.data_ptr() == two.data_ptr()


def with_fresh_token(seed: int) -> PointClassifier:
    model = build_classifier(None)
    backbone = model.backbone
    fresh = backbone.prefix_parameters()
    backbone.pretrained_names = [name for name in backbone.state_dict() if name not in fresh]
    torch.manual_seed(seed)
    for name in fresh:
        nn.init.normal_(backbone.get_parameter(name))
    return model


def test_an_adapter_of_a_training(tmp_path: Path) -> None:
    """As the checkpoint hook writes them; and a training's model takes the file of a folder."""
    model = build_classifier(METHODS['vpt_deep'])
    model.backbone.backbone.pretrained_names = list(model.backbone.backbone.state_dict())
    base = dict(point_peft=describe_checkpoint(model, 'delta'))
    train(model, steps=1)
    with_network = dict(base, dataset_meta=dict(classes=CLASSES))
    network = dict(
        type='PointClassifier',
        backbone=dict(type='PointMAE', **dict(config_of_backbone())),
        peft=dict(type='PEFTBackbone', methods=METHODS['vpt_deep']),
        head=dict(type='PointClsHead', num_classes=5, hidden_dims=(16,)),
    )
    with_network['point_peft'] |= dict(network=network)
    save_checkpoint(tmp_path / 'epoch_3.pth', adapter_state(model), with_network)
    other = load_adapter(build_classifier(None), tmp_path / 'epoch_3.pth')
    assert torch.equal(logits(other, clouds()), logits(model, clouds()))
    save_adapter(other, tmp_path / 'folder')
    fresh = build_classifier(METHODS['vpt_deep'])
    fresh.backbone.backbone.pretrained_names = list(fresh.backbone.backbone.state_dict())
    load_weights(fresh, tmp_path / 'folder/adapter.safetensors')
    assert torch.equal(logits(fresh, clouds()), logits(model, clouds()))


def config_of_backbone() -> dict[str, Any]:
    from small_models import SMALL_BACKBONES

    return SMALL_BACKBONES['PointMAE']


def other_base() -> PointClassifier:
    model = build_classifier(None)
    scramble(model.backbone, seed=8)
    return model


def test_a_plain_module(tmp_path: Path) -> None:
    """Its sites and trained modules are in the folder."""
    x = torch.rand(2, 5, 8)
    model = get_peft_model(
        network(), 'lora', rank=2, targets=['mlp.0'], sites=SITES, modules_to_save=['head']
    )
    scramble(adapter_info(model).wrapper.methods)
    scramble(model.head)
    save_adapter(model, tmp_path)
    other = load_adapter(network(), tmp_path)
    assert torch.equal(other(x), model(x))
    with pytest.raises(PointPEFTError, match='adapter for base weights'):
        load_adapter(network(seed=3), tmp_path)


def edited(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    """A function that changes the config in a folder."""

    def edit(folder: Path) -> None:
        path = folder / 'adapter_config.json'
        config = json.loads(path.read_text())
        change(config)
        path.write_text(json.dumps(config))

    return edit


def with_nan(folder: Path) -> None:
    content = load_checkpoint_file(folder / 'adapter.safetensors')
    content['state_dict']['head.cls_head_finetune.0.weight'][0] = torch.nan
    save_checkpoint(folder / 'adapter.safetensors', content['state_dict'], content['meta'])


def fewer_names(folder: Path) -> None:
    content = load_checkpoint_file(folder / 'adapter.safetensors')
    content['meta']['dataset_meta']['classes'] = CLASSES[:4]
    save_checkpoint(folder / 'adapter.safetensors', content['state_dict'], content['meta'])


def complete(folder: Path) -> None:
    content = load_checkpoint_file(folder / 'adapter.safetensors')
    content['meta']['point_peft']['format'] = 'full'
    save_checkpoint(folder / 'adapter.safetensors', content['state_dict'], content['meta'])


def runs(config: dict[str, Any]) -> None:
    config['methods'] = [dict(type='os.system', command='touch /tmp/adapter_ran')]


def runs_inside(config: dict[str, Any]) -> None:
    config['methods'][0]['targets'] = [dict(type='subprocess.run', args='true')]


WRONG: dict[str, tuple[Callable[[Path], None], str]] = {
    'NaN': (with_nan, 'has a NaN or an infinity in head'),
    'fewer names': (fewer_names, '4 names of classes for a head with 5 outputs'),
    'complete': (complete, 'is no adapter but a complete model'),
    'code': (edited(runs), "'os.system' is no tuning method that is registered"),
    'code inside': (edited(runs_inside), "'subprocess.run' is no registered type"),
    'argument': (
        edited(lambda config: config['methods'][0].update(rnk=3)),
        "no argument 'rnk'; did you mean 'rank'",
    ),
    'other rank': (edited(lambda config: config['methods'][0].update(rank=3)), 'has shape'),
    'other scale': (
        edited(lambda config: config['methods'][0].update(alpha=1)),
        'alpha is 32.0 in it but 1',
    ),
    'other head': (edited(lambda config: config['head'].update(num_classes=9)), 'has shape'),
    'no methods': (edited(lambda config: config.pop('methods')), 'has no methods'),
    'no dicts': (edited(lambda config: config.update(methods=[3])), 'None is no tuning method'),
    'no JSON': (lambda folder: (folder / 'adapter_config.json').write_text('{'), 'is no JSON'),
    'no config': (lambda folder: (folder / 'adapter_config.json').unlink(), 'has no adapter_config.json'),
    'no tensors': (lambda folder: (folder / 'adapter.safetensors').unlink(), 'has no adapter.safetensors'),
}


@pytest.mark.parametrize('wrong', WRONG)
def test_wrong_folders(wrong: str, folder: Path, tmp_path: Path) -> None:
    """Each is refused in a sentence, and the model is as before."""
    change, message = WRONG[wrong]
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    change(tmp_path)
    model = build_classifier(None)
    before = logits(model, clouds())
    with pytest.raises(PointPEFTError, match=message):
        load_adapter(model, tmp_path)
    assert list_adapters(model) == [] and torch.equal(logits(model, clouds()), before)
    assert type(model.backbone).__name__ == 'PointMAE'


def test_wrong_models(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(PointPEFTError, match='is an adapter for base weights .* has base weights'):
        load_adapter(other_base(), folder)
    with pytest.raises(PointPEFTError, match='model.backbone.group_size is 8 in it but 4'):
        load_adapter(build_classifier(None, group_size=4), folder)
    with pytest.raises(
        PointPEFTError, match='is of a PointClassifier as model, but the model has a TunedEncoder'
    ):
        load_adapter(build_plain(), folder)
    with pytest.raises(PointPEFTError, match='there is no adapter'):
        load_adapter(build_classifier(None), tmp_path / 'nowhere')
    model = load_adapter(build_classifier(None), folder, 'a')
    expected = logits(model, clouds())
    with pytest.raises(PointPEFTError, match="has an adapter 'a' already"):
        load_adapter(model, folder, 'a')
    assert torch.equal(logits(model, clouds()), expected)


def test_wrong_to_save(tmp_path: Path) -> None:
    model = trained()
    with pytest.raises(PointPEFTError, match='3 names of classes for a head with 5'):
        save_adapter(model, tmp_path / 'a', classes=['x', 'y', 'z'])
    with disable_adapter(model), pytest.raises(PointPEFTError, match='switched off'):
        save_adapter(model, tmp_path / 'a')
    next(model.head.parameters()).data[0] = torch.inf
    with pytest.raises(PointPEFTError, match="adapter 'default' has a NaN or an infinity in head"):
        save_adapter(model, tmp_path / 'a')
    assert not (tmp_path / 'a').exists()
