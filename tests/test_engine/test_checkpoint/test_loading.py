from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.logging import MMLogger
from toy_engine import ToyModel, write_pretrained

from point_peft.engine.checkpoint import (
    adapter_state,
    base_fingerprint,
    describe_checkpoint,
    full_state,
    load_weights,
)
from point_peft.io.errors import BaseWeightsMismatchError, FittedStateMismatchError, UnmatchedCheckpointError
from point_peft.io.weights import OWN_KEY, save_checkpoint


def make_trained(pretrained: Path | None) -> ToyModel:
    """A model whose every trainable parameter and moving buffer has changed."""
    model = ToyModel(pretrained and str(pretrained))
    model.init_weights()
    base_fingerprint(model)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter += torch.randn_like(parameter)
        model.head[0].running_mean += 1
    return model.eval()


def write_adapter(model: ToyModel, path: Path) -> Path:
    save_checkpoint(path, adapter_state(model), {OWN_KEY: describe_checkpoint(model, 'delta')})
    return path


def logits(model: ToyModel) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        return model.eval()(dict(points=torch.randn(4, 8, 3, generator=generator)))


@pytest.fixture
def warnings_logged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Messages that MMEngine's logger gets."""
    messages: list[str] = []
    monkeypatch.setattr(MMLogger, 'handle', lambda self, record: messages.append(record.getMessage()))
    return messages


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
@pytest.mark.parametrize('with_base', [True, False])
def test_adapter_gives_identical_logits(
    tmp_path: Path, pretrained: Path, suffix: str, with_base: bool
) -> None:
    base = pretrained if with_base else None
    trained = make_trained(base)
    adapter = write_adapter(trained, tmp_path / f'adapter{suffix}')
    fresh = ToyModel(base and str(base))
    report = load_weights(fresh, adapter)
    assert torch.equal(logits(fresh), logits(trained))
    assert report.kind == 'delta'
    assert not report.missing
    assert not report.unexpected
    assert ('backbone.linear.weight' in report.base) == with_base


def test_full_file_needs_no_pretrained_file(tmp_path: Path, pretrained: Path) -> None:
    trained = make_trained(pretrained)
    save_checkpoint(
        tmp_path / 'full.pth', full_state(trained), {OWN_KEY: describe_checkpoint(trained, 'full')}
    )
    pretrained.unlink()
    fresh = ToyModel(str(pretrained))
    report = load_weights(fresh, tmp_path / 'full.pth')
    assert torch.equal(logits(fresh), logits(trained))
    assert report.kind == 'full'


def test_foreign_state_dict_with_module_prefix(pretrained: Path) -> None:
    trained = make_trained(pretrained)
    fresh = ToyModel()
    load_weights(fresh, {f'module.{name}': value for name, value in trained.state_dict().items()})
    assert torch.equal(logits(fresh), logits(trained))


def test_wrong_base_is_refused_unless_allowed(tmp_path: Path, pretrained: Path) -> None:
    adapter = write_adapter(make_trained(pretrained), tmp_path / 'adapter.pth')
    other = str(write_pretrained(tmp_path / 'other.pth', seed=8))
    before = ToyModel(other)
    before.init_weights()
    state = {name: value.clone() for name, value in before.state_dict().items()}
    with pytest.raises(BaseWeightsMismatchError, match='adapter.pth is an adapter for base weights'):
        load_weights(before, adapter)
    assert all(torch.equal(value, state[name]) for name, value in before.state_dict().items())
    assert not load_weights(ToyModel(other), adapter, allow_other_base=True).missing


def test_nothing_in_common_is_an_error(pretrained: Path) -> None:
    model = ToyModel(str(pretrained))
    for state in (dict(other=torch.ones(1)), dict(base_model=dict(a=torch.ones(1)))):
        with pytest.raises(UnmatchedCheckpointError, match='none of the .* tensors .* is in the model'):
            load_weights(model, state)


def test_other_shape_is_an_error_naming_the_tensor(pretrained: Path) -> None:
    trained = make_trained(pretrained)
    state = {**trained.state_dict(), 'head.1.weight': torch.ones(7, 16)}
    with pytest.raises(UnmatchedCheckpointError, match=r'head\.1\.weight has shape \(7, 16\) .* \(3, 16\)'):
        load_weights(ToyModel(), state)


def test_missing_tensors_are_refused_unless_allowed(pretrained: Path, warnings_logged: list[str]) -> None:
    state = make_trained(pretrained).state_dict()
    del state['head.1.bias']
    with pytest.raises(UnmatchedCheckpointError, match=r'lacks head\.1\.bias, which would stay at random'):
        load_weights(ToyModel(), state)
    report = load_weights(ToyModel(), {**state, 'extra': torch.ones(1)}, allow_other_network=True)
    assert report.missing == ('head.1.bias',)
    assert report.unexpected == ('extra',)
    lines = [line for line in warnings_logged if 'missing: head.1.bias, unexpected: extra' in line]
    assert len(lines) == 1
    assert '\n' not in lines[0]


def test_second_adapter_needs_the_base_back(tmp_path: Path, pretrained: Path) -> None:
    bias_tuned = write_adapter(make_trained(pretrained), tmp_path / 'a.pth')
    untouched = ToyModel(str(pretrained))
    untouched.init_weights()
    plain = write_adapter(untouched, tmp_path / 'b.pth')  # leaves the bias to the base
    model = ToyModel(str(pretrained))
    load_weights(model, bias_tuned)
    load_weights(model, bias_tuned)
    with pytest.raises(BaseWeightsMismatchError, match='leaves backbone.linear.bias to the base weights'):
        load_weights(model, plain)


def test_other_bank_is_refused(tmp_path: Path, pretrained: Path, warnings_logged: list[str]) -> None:
    adapter = write_adapter(make_trained(pretrained), tmp_path / 'a.pth')
    model = ToyModel(str(pretrained))
    load_weights(model, adapter)
    assert not any('memory bank' in line for line in warnings_logged)
    model.bank.rows += 1
    with pytest.raises(
        FittedStateMismatchError,
        match=r'memory bank \w+, but the model holds bank \w+, .*allow_other=True',
    ):
        load_weights(model, adapter)
    load_weights(model, adapter, allow_other_state=True)
    assert sum('was trained with memory bank' in line for line in warnings_logged) == 1
