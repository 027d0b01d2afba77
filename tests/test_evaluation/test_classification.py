"""Accuracies, by hand, by property and through MMEngine's evaluator."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmengine.evaluator import Evaluator

from point_peft.evaluation import ClassificationAccuracy
from point_peft.structures import PointDataSample


def evaluate(
    truth: list[int],
    prediction: list[int],
    classes: tuple[str, ...] | None = ('a', 'b', 'c', 'd'),
    **settings,
) -> tuple[dict[str, float], ClassificationAccuracy]:
    """Run the metric in batches of two, as a validation loop does."""
    metric = ClassificationAccuracy(**settings)
    evaluator = Evaluator(metric)
    if classes is not None:
        evaluator.dataset_meta = dict(classes=classes)
    samples = []
    for label, guess in zip(truth, prediction):
        sample = PointDataSample()
        sample.gt_label, sample.pred_label = torch.tensor(label), torch.tensor(guess)
        samples.append(sample)
    for start in range(0, len(samples), 2):
        evaluator.process(data_samples=samples[start : start + 2])
    return evaluator.evaluate(len(samples)), metric


def test_by_hand() -> None:
    """Class a: 3 of 4, b: 0 of 1, c: 1 of 1, d absent: overall 4/6, mean (3/4 + 0 + 1) / 3."""
    result, metric = evaluate([0, 0, 0, 0, 1, 2], [0, 0, 0, 3, 2, 2])
    assert result == {
        'overall_accuracy': pytest.approx(400 / 6),
        'mean_class_accuracy': pytest.approx(175 / 3),
    }
    assert metric.confusion_matrix.tolist() == [[3, 0, 0, 1], [0, 0, 1, 0], [0, 0, 1, 0], [0, 0, 0, 0]]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30))
def test_properties(pairs: list[tuple[int, int]]) -> None:
    """Independent formulas; the order of the samples does not matter."""
    truth, prediction = map(list, zip(*pairs))
    result, metric = evaluate(truth, prediction)
    correct = [label == guess for label, guess in pairs]
    assert result['overall_accuracy'] == pytest.approx(100 * np.mean(correct))
    recall = [np.mean([guess == label for label, guess in pairs if label == name]) for name in set(truth)]
    assert result['mean_class_accuracy'] == pytest.approx(100 * np.mean(recall))
    assert metric.confusion_matrix.sum() == len(pairs)
    assert evaluate(truth[::-1], prediction[::-1])[0] == pytest.approx(result)


def test_padding_of_the_last_round_is_dropped() -> None:
    """Samplers repeat samples to even out the processes; only as many results as the dataset has count."""
    metric = ClassificationAccuracy()
    metric.process(
        {}, [dict(gt_label=torch.tensor(0), pred_label=torch.tensor(guess)) for guess in (0, 0, 1)]
    )
    assert metric.evaluate(size=2)['overall_accuracy'] == 100


def test_without_class_names() -> None:
    """A dataset that gives no names is counted by number."""
    result, metric = evaluate([0, 2], [0, 1], classes=None)
    assert result['overall_accuracy'] == 50 and metric.confusion_matrix.shape == (3, 3)


def test_table_in_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line per class, a dash where it does not occur."""
    lines: list[str] = []
    monkeypatch.setattr(
        'point_peft.evaluation.classification.print_log', lambda text, **_: lines.append(text)
    )
    evaluate([0, 0, 1], [0, 1, 1], per_class=True)
    table = [line.split() for line in lines[0].splitlines()[1:]]
    assert table == [
        ['class', 'objects', 'accuracy'],
        ['a', '2', '50.00'],
        ['b', '1', '100.00'],
        ['c', '0', '-'],
        ['d', '0', '-'],
    ]


def test_files(tmp_path: Path) -> None:
    """The counts and a picture."""
    _, metric = evaluate([0, 1], [1, 1], out_dir=str(tmp_path / 'new'))
    np.testing.assert_array_equal(np.load(tmp_path / 'new' / 'confusion_matrix.npy'), metric.confusion_matrix)
    assert (tmp_path / 'new' / 'confusion_matrix.png').read_bytes().startswith(b'\x89PNG')


@pytest.mark.parametrize('name', ['confusion_matrix.npy', 'confusion_matrix.png'])
def test_files_on_a_full_disk(tmp_path: Path, full_disk: list[str], log, name: str) -> None:
    """They cost one warning; the accuracies are those of any other run."""
    full_disk.append(name)
    found, _ = evaluate([0, 1], [1, 1], out_dir=str(tmp_path))
    assert found == evaluate([0, 1], [1, 1])[0]
    (warning,) = log.at('WARNING')
    assert warning.startswith(
        f'the confusion matrix in {tmp_path} could not be written ([Errno 28] No space left'
    )


def test_class_outside() -> None:
    """A label or prediction beyond the classes is said, not counted elsewhere."""
    with pytest.raises(ValueError, match=r'prediction 4 lies outside \[0, 4\)'):
        evaluate([0], [4])
    with pytest.raises(ValueError, match=r'label -1 lies outside \[0, 4\)'):
        evaluate([-1], [0])


def test_missing_prediction() -> None:
    """A sample without a prediction says what it has."""
    with pytest.raises(KeyError, match="no 'pred_label'.*gt_label"):
        ClassificationAccuracy().process({}, [dict(gt_label=torch.tensor(0))])


PROCESS = """
import sys, torch
from mmengine.evaluator import Evaluator
from point_peft.evaluation import ClassificationAccuracy

rank = int(sys.argv[1])
torch.distributed.init_process_group('gloo', init_method='file://' + sys.argv[2], rank=rank, world_size=2)
evaluator = Evaluator(ClassificationAccuracy())
evaluator.dataset_meta = dict(classes=('a', 'b'))
# Five objects dealt out in turn; the sampler repeats the first to even out the processes.
truth, guess = [0, 0, 0, 1, 1, 0], [0, 0, 1, 1, 0, 1]
samples = [dict(gt_label=torch.tensor(t), pred_label=torch.tensor(p)) for t, p in zip(truth, guess)]
evaluator.process(data_samples=samples[rank::2])
print(evaluator.evaluate(5))
"""


def test_two_processes(tmp_path: Path) -> None:
    """Both processes get the accuracies over all objects, each counted once: 3 of 5, and (2/3 + 1/2) / 2."""
    command = [sys.executable, '-c', PROCESS]
    running = [
        subprocess.Popen([*command, str(rank), str(tmp_path / 'store')], stdout=subprocess.PIPE, text=True)
        for rank in range(2)
    ]
    outputs = [process.communicate(timeout=60)[0] for process in running]
    for output in outputs:
        result = ast.literal_eval(output.strip().splitlines()[-1])
        assert result == pytest.approx(dict(overall_accuracy=60.0, mean_class_accuracy=350 / 6))
