"""Building memory banks, their files, and the hook that looks after them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmengine.dataset import BaseDataset, RepeatDataset
from safetensors.torch import save_file
from small_models import (
    METHODS,
    build_classifier,
    build_plain,
    clouds,
    expected_of,
    fill_bank,
    fit,
    fitted_of,
    logits,
    samples,
    save_as,
    train,
    unfitted_prompt,
)
from torch import Tensor
from torch.utils.data import ConcatDataset, Dataset

from point_peft.engine.checkpoint import external_keys
from point_peft.engine.fitting import (
    attach_fitted,
    check_places,
    expected_provenance,
    find_fitted,
    fit_method,
    fitting_set,
    load_fitted,
)
from point_peft.engine.hooks import FitHook
from point_peft.io.errors import CheckpointError, ConfigError, FittedStateMismatchError, UnsafeCheckpointError
from point_peft.io.weights import OWN_KEY, save_checkpoint
from point_peft.methods import MemoryBank, fitted_methods
from point_peft.models import PointClassifier

TESTS = Path(__file__).resolve().parents[2]


class Clouds(Dataset):
    """A few clouds with labels."""

    split = 'train'

    def __init__(self, size: int = 7, seed: int = 5) -> None:
        self.points = clouds(size, seed=seed)

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return dict(inputs=dict(points=self.points[index]), data_samples=samples([0])[0])


class OtherClouds(Clouds):
    """Another dataset."""


class Fold(Clouds):
    """A fold of a few-shot dataset; the same clouds, so that only what it says about itself differs."""

    def __init__(
        self, fold: int = 0, *, ways: int = 5, shots: int = 10, origin: str = 'A', **seed: int
    ) -> None:
        super().__init__()
        self.metainfo = dict(few_shot=dict(num_ways=ways, num_shots=shots, fold=fold), dataset=origin)
        vars(self).update(seed)


@pytest.fixture
def model() -> PointClassifier:
    """A model whose data preprocessor stacks clouds."""
    from point_peft.models import PointDataPreprocessor

    model = build_classifier(METHODS['point_peft'])
    model.data_preprocessor = PointDataPreprocessor(augments=[dict(type='RandomJitter')])
    return model


def bank_of(model: PointClassifier) -> MemoryBank:
    """Its memory bank."""
    return fitted_of(model).bank


def summaries(dataset: Clouds) -> Tensor:
    """What the bank should hold: the plain backbone's summaries of the first 8 groups, one cloud at a time."""
    plain, rows = build_plain(), []
    with torch.no_grad():
        for cloud in dataset.points:
            rows.append(plain.summarize(plain.embed(cloud[None]).first(8))[0])
    rows = torch.stack(rows)
    return rows / rows.norm(dim=1, keepdim=True)


@pytest.mark.parametrize('batch_size', [1, 3, 64])
def test_build(model: PointClassifier, batch_size: int) -> None:
    """One unit row per cloud, in the dataset's order, without augmentation, whatever the batch."""
    provenance = fit(model, Clouds(), batch_size=batch_size)
    torch.testing.assert_close(bank_of(model).keys, summaries(Clouds()), atol=1e-5, rtol=0)
    assert provenance.items() >= dict(dataset='Clouds', split='train', num_samples=7).items()
    assert provenance.items() >= dict(dim=48, num_prior_groups=8, normalization='l2').items()


@pytest.mark.parametrize('training', [True, False])
def test_build_leaves_the_model_as_it_was(model: PointClassifier, training: bool) -> None:
    """Training state and parameters; and a trained model builds the bank of the untrained one."""
    train(model)
    model.train(training)
    before = {name: value.clone() for name, value in model.state_dict().items() if 'bank' not in name}
    fit(model, Clouds())
    assert model.training == training
    assert all(
        torch.equal(value, before[name]) for name, value in model.state_dict().items() if name in before
    )
    torch.testing.assert_close(bank_of(model).keys, summaries(Clouds()), atol=1e-5, rtol=0)


def test_a_training_cloud_finds_itself(model: PointClassifier) -> None:
    """Each cloud's most similar row is its own."""
    dataset = Clouds()
    fit(model, dataset)
    wrapper, prompt = model.backbone, fitted_of(model)
    tokens = wrapper.backbone.embed(dataset.points)
    found = prompt.bank(wrapper.pretrained_summary(tokens.first(8)), 1)
    assert found.index.flatten().tolist() == list(range(7))
    torch.testing.assert_close(found.similarity, torch.ones(7, 1))


def test_round_trip(model: PointClassifier, tmp_path: Path) -> None:
    """A file gives the same rows to the last bit, the same hash and logits, and where it came from."""
    provenance = fit(model, Clouds())
    save_as(tmp_path / 'new' / 'bank.safetensors', fitted_of(model), provenance)
    other = build_classifier(METHODS['point_peft'])
    found = load_fitted(tmp_path / 'new' / 'bank.safetensors', fitted_of(other), expected_of(other, Clouds()))
    assert found == provenance
    assert torch.equal(bank_of(other).keys, bank_of(model).keys)
    assert fitted_of(other).content_hash() == fitted_of(model).content_hash()
    assert torch.equal(logits(other, clouds()), logits(model, clouds()))


@pytest.mark.parametrize(
    ('field', 'value'),
    [
        ('base_hash', 'other'),
        ('dim', 64),
        ('num_prior_groups', 64),
        ('dataset', 'OtherClouds'),
        ('split', 'test'),
        ('num_samples', 8),
        ('normalization', 'none'),
        ('few_shot', '5-way 10-shot, fold 3 of A'),
    ],
)
def test_refused(model: PointClassifier, tmp_path: Path, field: str, value: object) -> None:
    """A bank that was made from anything else is refused: the message has file, field and both values."""
    file = tmp_path / 'bank.safetensors'
    provenance = fit(model, Clouds())
    save_as(file, fitted_of(model), provenance)
    wanted = {**provenance, field: value}
    fresh = unfitted_prompt()
    message = rf'bank\.safetensors was made with {field}={provenance[field]!r}.*needs {value!r}; delete'
    with pytest.raises(FittedStateMismatchError, match=message):
        load_fitted(file, fresh, wanted)
    assert len(fresh.bank) == 0


def test_unknown_fields_are_not_compared(model: PointClassifier, tmp_path: Path) -> None:
    """For an evaluation the training set is unknown."""
    file = tmp_path / 'bank.safetensors'
    save_as(file, fitted_of(model), fit(model, Clouds()))
    wanted = expected_of(model)
    assert not {'dataset', 'split', 'num_samples'} & set(wanted)
    save_as(file, fitted_of(model), expected_of(model, Clouds()))
    assert load_fitted(file, fitted_of(model), wanted)['num_samples'] == 7


def test_what_a_bank_depends_on(model: PointClassifier) -> None:
    """The hash follows the pre-trained weights: not training, not the class token; but every other weight."""
    before = expected_of(model, Clouds())
    train(model)
    with torch.no_grad():
        model.backbone.backbone.cls_token.add_(1)
    assert expected_of(model, Clouds()) == before
    for other in (OtherClouds(), Clouds(size=8)):
        assert expected_of(model, other) != before
    with torch.no_grad():
        model.backbone.backbone.encoder.first_conv[1].running_mean[0] += 1e-3
    assert expected_of(model, Clouds())['base_hash'] != before['base_hash']
    smaller = build_classifier([dict(METHODS['point_peft'][0], num_prior_groups=64)])
    assert expected_of(smaller)['num_prior_groups'] == 16  # the backbone has no more


@pytest.mark.parametrize(
    ('made', 'needed', 'described'),
    [
        (Fold(0), Fold(1), '5-way 10-shot, fold 1 of A'),
        (Fold(0), Fold(0, ways=10), '10-way 10-shot, fold 0 of A'),
        (Fold(0), Fold(0, shots=20), '5-way 20-shot, fold 0 of A'),
        (Fold(0), Fold(0, origin='B'), '5-way 10-shot, fold 0 of B'),
        (Fold(0, seed=0), Fold(0, seed=1), '5-way 10-shot, fold 0 of A, seed 1'),
    ],
)
def test_folds_are_told_apart(
    model: PointClassifier, tmp_path: Path, made: Fold, needed: Fold, described: str
) -> None:
    """A bank of one fold is refused for another, for other ways, shots, origin or seed, and accepted for its own."""
    file = tmp_path / 'bank.safetensors'
    save_as(file, fitted_of(model), fit(model, made))
    with pytest.raises(
        FittedStateMismatchError, match=f"few_shot='5-way .*, but this run needs '{described}'"
    ):
        load_fitted(file, unfitted_prompt(), expected_of(model, needed))
    method = unfitted_prompt()
    assert load_fitted(file, method, expected_of(model, made))['few_shot'] != described
    assert len(method.bank) == 7
    assert load_fitted(file, method, expected_of(model))['num_samples'] == 7  # an evaluation


def test_older_banks(model: PointClassifier, tmp_path: Path) -> None:
    """Files from before there were folds serve ordinary datasets, and no fold."""
    file = tmp_path / 'bank.safetensors'
    provenance = dict(fit(model, Clouds()))
    assert provenance.pop('few_shot') == ''
    meta = dict(provenance=provenance, hash=fitted_of(model).content_hash())
    save_checkpoint(file, {'keys': bank_of(model).keys}, meta)
    method = unfitted_prompt()
    assert 'few_shot' not in load_fitted(file, method, expected_of(model, Clouds())) and len(method.bank) == 7
    wanted = {**expected_of(model, Fold()), 'dataset': 'Clouds'}
    with pytest.raises(FittedStateMismatchError, match="few_shot=None, but this run needs '5-way"):
        load_fitted(file, unfitted_prompt(), wanted)


def test_a_bank_of_some_blocks(model: PointClassifier, tmp_path: Path) -> None:
    """It is built by them, and serves no other number; what banks of all blocks note has not changed."""

    def with_blocks(number: int | None) -> PointClassifier:
        prompt, *others = METHODS['point_peft']
        changed = build_classifier([dict(prompt, num_prior_layers=number), *others])
        changed.data_preprocessor = model.data_preprocessor
        return changed

    some, all_of_them = with_blocks(2), with_blocks(4)
    assert 'num_prior_layers' not in fit(model, Clouds()) | fit(all_of_them, Clouds())
    assert torch.equal(bank_of(all_of_them).keys, bank_of(model).keys)
    assert fit(some, Clouds())['num_prior_layers'] == 2
    plain = build_plain()
    rows = plain.summarize(plain.embed(Clouds().points).first(8), num_layers=2).detach()
    torch.testing.assert_close(bank_of(some).keys, rows / rows.norm(dim=1, keepdim=True), atol=1e-5, rtol=0)
    files = {name: tmp_path / f'{name}.safetensors' for name in ('some', 'all')}
    for file, owner in (('some', some), ('all', model)):
        save_as(files[file], fitted_of(owner), fitted_of(owner).fitted_on)
    for file, wanted, noted in (('some', some, 2), ('all', model, None), ('all', all_of_them, None)):
        for dataset in (Clouds(), None):
            found = load_fitted(files[file], fitted_of(wanted), expected_of(wanted, dataset))
            assert found.get('num_prior_layers') == noted
    for file, wanted, made, needed in (
        ('some', model, 2, 4),
        ('all', some, 4, 2),
        ('some', with_blocks(1), 2, 1),
    ):
        for dataset in (Clouds(), None):
            with pytest.raises(
                FittedStateMismatchError, match=f'num_prior_layers={made}, but this run needs {needed}'
            ):
                load_fitted(files[file], fitted_of(wanted), expected_of(wanted, dataset))


def test_no_bank(tmp_path: Path) -> None:
    """Models without a Point-prior Prompt need none."""
    plain = build_classifier(METHODS['lora'])
    assert fitted_methods(plain) == {}
    find_fitted(plain, [tmp_path], {OWN_KEY: {'bank_hash': 'abc'}}, 'a')
    prompt = unfitted_prompt()
    for call in (lambda: fit_method(plain, prompt, Clouds()), lambda: expected_provenance(plain, prompt)):
        with pytest.raises(
            ValueError, match='PointPriorPrompt is no method of this PointClassifier, so it cannot'
        ):
            call()


def test_not_a_bank(model: PointClassifier, tmp_path: Path, malicious: tuple[Path, Path]) -> None:
    """Other files are refused: a checkpoint, a bare tensor file, garbage, and a pickle with code in it."""
    method, wanted = fitted_of(model), expected_of(model)
    save_file({'keys': torch.ones(3, 48)}, tmp_path / 'bare.safetensors')
    torch.save({'state_dict': {'keys': torch.ones(3, 48)}}, tmp_path / 'checkpoint.pth')
    for name in ('bare.safetensors', 'checkpoint.pth'):
        with pytest.raises(
            CheckpointError, match=rf'{name} is not a memory bank of this project; build one with'
        ):
            load_fitted(tmp_path / name, method, wanted)
    (tmp_path / 'garbage.safetensors').write_bytes(b'nothing')
    with pytest.raises(CheckpointError, match=r'garbage\.safetensors'):
        load_fitted(tmp_path / 'garbage.safetensors', method, wanted)
    file, trace = malicious
    with pytest.raises(UnsafeCheckpointError, match=r'malicious\.pth was not loaded'):
        load_fitted(file, method, wanted)
    assert not trace.exists() and len(method.bank) == 0


def test_damaged_rows(model: PointClassifier, tmp_path: Path) -> None:
    """A bank with a NaN in it is refused by its row, although where it came from fits."""
    provenance = fit(model, Clouds())
    bank_of(model).keys[3, 0] = float('nan')
    save_as(tmp_path / 'bank.safetensors', fitted_of(model), provenance)
    with pytest.raises(ValueError, match='row 3 of the memory bank is zero or not finite'):
        load_fitted(tmp_path / 'bank.safetensors', fitted_of(model), provenance)


def test_attach(model: PointClassifier, tmp_path: Path) -> None:
    """The first file that exists is taken; none is an error only if the adapter was trained with one."""
    file = tmp_path / 'b.safetensors'
    save_as(file, fitted_of(model), fit(model, Clouds()))
    other = build_classifier(METHODS['point_peft'])
    absent, meta = tmp_path / 'absent.safetensors', {OWN_KEY: {'bank_hash': 'abc'}}
    assert attach_fitted(other, fitted_of(other), [absent], {}, 'a.pth') is None and len(bank_of(other)) == 0
    with pytest.raises(CheckpointError, match=r'trained with memory bank abc, which is in none of .*absent'):
        attach_fitted(other, fitted_of(other), [absent], meta, 'a.pth')
    assert (
        attach_fitted(other, fitted_of(other), [absent, file], {}, 'a.pth') == file
        and len(bank_of(other)) == 7
    )
    assert attach_fitted(other, fitted_of(other), [absent], {}, 'a.pth') is None  # it has one already
    with pytest.raises(
        FittedStateMismatchError, match=r'a\.pth was trained with memory bank abc, but the model'
    ):
        attach_fitted(other, fitted_of(other), [absent], meta, 'a.pth')
    assert attach_fitted(other, fitted_of(other), [absent], meta, 'a.pth', allow_other=True) is None


class Run:
    """What the hook sees of a runner."""

    def __init__(
        self, model: PointClassifier, work_dir: Path, dataset: Dataset, load_from: Path | None = None
    ) -> None:
        self.model, self.work_dir, self._load_from = model, str(work_dir), load_from and str(load_from)
        self.train_dataloader = SimpleNamespace(dataset=dataset)
        self._resume = False
        self.lines: list[str] = []
        self.logger = SimpleNamespace(info=self.lines.append)


def test_hook_builds_then_reads(model: PointClassifier, tmp_path: Path) -> None:
    """The first run builds the bank in its work directory; the next one reads the same rows from there."""
    first = Run(model, tmp_path / 'work', Clouds())
    FitHook().before_train(first)
    assert (tmp_path / 'work' / 'memory_bank.safetensors').is_file() and 'built and kept' in first.lines[0]
    other = build_classifier(METHODS['point_peft'])
    second = Run(other, tmp_path / 'work', Clouds())
    FitHook().before_train(second)
    assert 'of 7 clouds read from' in second.lines[0]
    assert torch.equal(bank_of(other).keys, bank_of(model).keys)


class Numbered(Clouds):
    """Clouds that say where they are, from ``start`` on."""

    def __init__(self, start: int = 0) -> None:
        super().__init__()
        self.start = start

    def __getitem__(self, index: int) -> dict[str, Any]:
        item = super().__getitem__(index)
        item['data_samples'].set_metainfo(dict(sample_idx=self.start + index))
        return item


def test_clouds_that_do_not_know_their_rows() -> None:
    """A method that looks up a cloud's own row trains on no dataset that would name another one."""
    check_places(Numbered())
    for dataset, said in (
        (Clouds(), '0'),
        (Numbered(1), '1'),
        (ConcatDataset([Numbered(), Numbered()]), r'\d+'),
    ):
        with pytest.raises(
            ConfigError, match=rf'sample_idx is {said}, so a method .* would take that of another'
        ):
            check_places(dataset)


def test_hook_refuses_another_bank(model: PointClassifier, tmp_path: Path) -> None:
    """A file of another training set is neither used nor overwritten."""
    file = tmp_path / 'bank.safetensors'
    FitHook(str(file)).before_train(Run(model, tmp_path, OtherClouds()))
    content = file.read_bytes()
    other = build_classifier(METHODS['point_peft'])
    with pytest.raises(FittedStateMismatchError, match="dataset='OtherClouds', but this run needs 'Clouds'"):
        FitHook(str(file)).before_train(Run(other, tmp_path, Clouds()))
    assert file.read_bytes() == content and len(bank_of(other)) == 0


@pytest.mark.parametrize('method', ['lora', 'point_peft'])
def test_hook_with_nothing_to_do(tmp_path: Path, method: str) -> None:
    """A model without bank, or with a filled one, is left alone."""
    model = build_classifier(METHODS[method])
    fill_bank(model)
    before = external_keys(model), [found.content_hash() for found in fitted_methods(model).values()]
    run = Run(model, tmp_path, Clouds())
    FitHook().before_train(run)
    FitHook().before_test(run)
    assert before == (
        external_keys(model),
        [found.content_hash() for found in fitted_methods(model).values()],
    )
    assert list(tmp_path.iterdir()) == [] and run.lines == []


@pytest.mark.parametrize('stage', ['before_val', 'before_test'])
def test_hook_in_evaluation(model: PointClassifier, tmp_path: Path, stage: str) -> None:
    """The bank is found in the work directory or beside the checkpoint; an adapter that had one needs it."""
    FitHook().before_train(Run(model, tmp_path / 'training', Clouds()))
    other = build_classifier(METHODS['point_peft'])
    hook = FitHook()
    meta = {OWN_KEY: {'bank_hash': fitted_of(model).content_hash()}}
    hook.after_load_checkpoint(Run(other, tmp_path, Clouds()), dict(meta=meta))
    with pytest.raises(CheckpointError, match='which is in none of'):
        getattr(hook, stage)(Run(other, tmp_path / 'test', Clouds()))
    beside = Run(other, tmp_path / 'test', Clouds(), tmp_path / 'training' / 'epoch_1.pth')
    getattr(hook, stage)(beside)
    assert fitted_of(other).content_hash() == fitted_of(model).content_hash()
    another = build_classifier(
        METHODS['point_peft']
    )  # of a training whose work directory is used for the test
    provenance = load_fitted(
        tmp_path / 'training' / 'memory_bank.safetensors', fitted_of(another), expected_of(another)
    )
    bank_of(another).keys = bank_of(another).keys.flip(0)
    save_as(tmp_path / 'test' / 'memory_bank.safetensors', fitted_of(another), provenance)
    bank_of(other).keys = bank_of(other).keys[:0]
    getattr(hook, stage)(beside)
    assert fitted_of(other).content_hash() == fitted_of(model).content_hash()
    bank_of(other).keys = bank_of(other).keys[:0]
    with pytest.raises(FittedStateMismatchError, match='was trained with memory bank'):
        getattr(hook, stage)(Run(other, tmp_path / 'test', Clouds()))


def test_resumed_with_another_bank(model: PointClassifier, tmp_path: Path) -> None:
    """A resumed training keeps its bank; one that starts from an adapter has that of its own data."""
    run = Run(model, tmp_path, Clouds())
    hook = FitHook()
    checkpoint = dict(meta={OWN_KEY: {'bank_hash': 'another'}})
    hook.after_load_checkpoint(run, checkpoint)
    hook.before_train(run)
    hook.before_val(run)
    run._resume = True
    hook.after_load_checkpoint(run, checkpoint)
    with pytest.raises(FittedStateMismatchError, match='was trained with memory bank another, but the model'):
        hook.before_train(run)
    hook.allow_other = True
    hook.before_train(run)


WORKER = """
import sys
sys.path[:0] = sys.argv[2:4]
import torch
import torch.distributed
from test_fit import Clouds, METHODS, bank_of, build_classifier, fit
from point_peft.models import PointDataPreprocessor
torch.distributed.init_process_group('gloo')
model = build_classifier(METHODS['point_peft'])
model.data_preprocessor = PointDataPreprocessor()
provenance = fit(model, Clouds(), batch_size=2)
assert provenance['num_samples'] == 7
torch.save(bank_of(model).keys, sys.argv[1])
"""


def test_two_processes(tmp_path: Path) -> None:
    """Seven clouds shared by two processes: both hold the whole bank in the dataset's order."""
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        port = sock.getsockname()[1]
    shared = dict(
        os.environ, MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port), WORLD_SIZE='2', OMP_NUM_THREADS='1'
    )
    paths = [str(TESTS), str(Path(__file__).parent)]
    processes = [
        subprocess.Popen(
            [sys.executable, '-c', WORKER, str(tmp_path / f'{rank}.pt'), *paths],
            env={**shared, 'RANK': str(rank), 'LOCAL_RANK': str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        outputs = [process.communicate(timeout=120)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], outputs
    first, second = (torch.load(tmp_path / f'{rank}.pt', weights_only=True) for rank in range(2))
    assert torch.equal(first, second)
    torch.testing.assert_close(first, summaries(Clouds()), atol=1e-5, rtol=0)


def test_provenance_is_plain() -> None:
    """Only words and numbers, so that it fits into a file's metadata."""
    provenance = expected_of(build_classifier(METHODS['point_peft']), Clouds())
    assert len(provenance) == 10 and all(isinstance(value, (str, int)) for value in provenance.values())


class ListedClouds(BaseDataset):
    """Clouds as MMEngine's own datasets give them, which is what its ``RepeatDataset`` takes."""

    split = 'train'

    def __init__(self, size: int) -> None:
        self.clouds = Clouds(size)
        super().__init__()

    def load_data_list(self) -> list[dict[str, int]]:
        return [dict(number=number) for number in range(len(self.clouds))]

    def prepare_data(self, index: int) -> dict[str, Any]:
        return self.clouds[index]


def test_repeats_of_an_epoch_count_once_unless_there_are_too_few(model: PointClassifier) -> None:
    """The prompt retrieves four clouds."""
    plenty, few = ListedClouds(4), ListedClouds(3)
    assert fitting_set(fitted_of(model), plenty) is plenty
    assert fitting_set(fitted_of(model), RepeatDataset(plenty, times=2)) is plenty
    repeated = fitting_set(fitted_of(model), RepeatDataset(few, times=2))
    assert len(repeated) == 6
    found = fit(model, repeated)
    assert found.items() >= dict(num_samples=6, dataset='ListedClouds', split='train').items()
    assert len(bank_of(model)) == 6
