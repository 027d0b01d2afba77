"""Part-segmentation scores, by hand, against a slow implementation and through MMEngine's evaluator."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import slow_part_iou
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmengine.evaluator import Evaluator

from point_peft.datasets import ShapeNetPart
from point_peft.datasets.shapenetpart_classes import CATEGORIES, CATEGORY_PARTS
from point_peft.evaluation import PartSegMetric
from point_peft.procedural import ProceduralParts
from point_peft.registry import METRICS
from point_peft.structures import PointDataSample

REAL = Path(__file__).resolve().parents[2].parent / 'shared' / 'data' / 'shapenetpart_cap'
META = dict(classes=('plane', 'mug', 'hat'), class_parts=dict(plane=(0, 1, 2), mug=(3, 4), hat=(5, 6)))
Object = tuple[str, list[int], list[int]]


def make_sample(category: int, truth: list[int], prediction: list[int]) -> PointDataSample:
    """What a head returns."""
    sample = PointDataSample(metainfo=dict(source='toy[0]'))
    sample.gt_part, sample.pred_part = torch.tensor(truth), torch.tensor(prediction)
    sample.category = torch.tensor(category)
    return sample


def evaluate(objects: list[Object], meta: dict = META, **settings) -> dict[str, float]:
    """Run the metric in batches of two, as a validation loop does."""
    evaluator = Evaluator(METRICS.build(dict(type='PartSegMetric', **settings)))
    evaluator.dataset_meta = meta
    samples = [make_sample(meta['classes'].index(name), *labels) for name, *labels in objects]
    for start in range(0, len(samples), 2):
        evaluator.process(data_samples=samples[start : start + 2])
    return evaluator.evaluate(len(samples))


def test_by_hand() -> None:
    """Plane: parts 1/2, 1/2 and one that is nowhere, so 2/3; another plane is right; mug: 0/2 and 2/4, so 1/4."""
    result = evaluate(
        [
            ('plane', [0, 0, 1], [0, 1, 1]),
            ('plane', [0, 2, 2, 1], [0, 2, 2, 1]),
            ('mug', [3, 3, 4, 4], [4, 4, 4, 4]),
        ],
        per_category=True,
    )
    assert result == {
        'instance_miou': pytest.approx(100 * (2 / 3 + 1 + 1 / 4) / 3),
        'class_miou': pytest.approx(100 * (5 / 6 + 1 / 4) / 2),
        'point_accuracy': pytest.approx(100 * 8 / 11),
        'miou/plane': pytest.approx(100 * 5 / 6),
        'miou/mug': pytest.approx(25),
    }


def test_absent_parts() -> None:
    """A part that only the prediction has counts 0, one that neither has counts 1."""
    assert evaluate([('plane', [0, 0], [0, 0])])['instance_miou'] == 100
    assert evaluate([('mug', [3, 3], [3, 4])])['instance_miou'] == pytest.approx(25)  # 1/2 and 0
    assert evaluate([('mug', [3, 3], [4, 4])])['instance_miou'] == 0


@st.composite
def labelled_object(draw: st.DrawFn) -> Object:
    """An object of any size and category of ShapeNetPart, some of whose parts may be absent."""
    name = draw(st.sampled_from(CATEGORIES))
    part = st.sampled_from(CATEGORY_PARTS[name])
    pairs = draw(st.lists(st.tuples(part, part), min_size=1, max_size=12))
    truth, prediction = map(list, zip(*pairs))
    return name, truth, prediction


@given(st.lists(labelled_object(), min_size=1, max_size=6))
def test_against_a_slow_implementation(objects: list[Object]) -> None:
    """Sets of points and exact fractions give the same numbers, in any order of the objects."""
    meta = dict(classes=CATEGORIES, class_parts=CATEGORY_PARTS)
    result = evaluate(objects, meta, per_category=True)
    assert result == pytest.approx(slow_part_iou.scores(objects, CATEGORY_PARTS), abs=1e-9)
    assert evaluate(objects[::-1], meta, per_category=True) == pytest.approx(result)


def test_padding_of_the_last_round_is_dropped() -> None:
    """Samplers repeat objects to even out the processes; only as many as the dataset has count."""
    metric = PartSegMetric()
    metric.dataset_meta = META
    samples = [make_sample(1, [3, 4], guess).to_dict() for guess in ([3, 4], [3, 4], [4, 3])]
    metric.process({}, samples)
    assert metric.evaluate(size=2)['instance_miou'] == 100


def test_on_a_dataset() -> None:
    """The built-in shapes; predicting each category's first part is as bad as the slow implementation says."""
    dataset = ProceduralParts(32, num_points=64, split='val')
    meta, objects = dataset.metainfo, []
    for item in dataset:
        sample = item['data_samples']
        name = meta['classes'][int(sample.category)]
        truth = sample.gt_part.tolist()
        objects.append((name, truth, [meta['class_parts'][name][0]] * len(truth)))
    result = evaluate(objects, meta, per_category=True)
    assert result == pytest.approx(slow_part_iou.scores(objects, meta['class_parts']))
    assert 0 < result['instance_miou'] < 60


@pytest.mark.skipif(not REAL.exists(), reason='the real caps are not here')
def test_on_real_caps() -> None:
    """Eleven real objects, with every fifth label turned into the other part."""
    dataset = ShapeNetPart(REAL, split='test')
    objects = []
    for item in dataset:
        truth = item['data_samples'].gt_part.tolist()
        guess = [13 - part if point % 5 == 0 else part for point, part in enumerate(truth)]
        objects.append(('Cap', truth, guess))
    result = evaluate(objects, dataset.metainfo, per_category=True)
    assert result == pytest.approx(slow_part_iou.scores(objects, CATEGORY_PARTS))
    assert result['point_accuracy'] == pytest.approx(80, abs=0.1)
    assert result['instance_miou'] == result['class_miou'] == result['miou/Cap'] < 70


def test_table_in_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line per category, a dash where it does not occur."""
    lines: list[str] = []
    monkeypatch.setattr(
        'point_peft.evaluation.part_segmentation.print_log', lambda text, **_: lines.append(text)
    )
    evaluate([('mug', [3, 3], [3, 4]), ('plane', [0], [0])], per_category=True)
    assert [line.split() for line in lines[0].splitlines()[1:]] == [
        ['category', 'objects', 'mIoU'],
        ['plane', '1', '100.00'],
        ['mug', '1', '25.00'],
        ['hat', '0', '-'],
    ]


@pytest.mark.parametrize(
    ('truth', 'prediction', 'message'),
    [
        ([3, 4], [3, 2], r'a predicted part of toy\[0\] is 2, which is no part of mug \(allowed: 3, 4\)'),
        ([3, -1], [3, 3], r'a part label of toy\[0\] is -1, which is no part of mug'),
        ([3, 4], [3], r'toy\[0\] has 2 part labels but 1 predictions'),
    ],
)
def test_bad_samples(truth: list[int], prediction: list[int], message: str) -> None:
    """Named with what is allowed, not counted somehow."""
    with pytest.raises(ValueError, match=message):
        evaluate([('mug', truth, prediction)])


def test_missing_fields_and_parts() -> None:
    """A sample without a prediction says what it has; a dataset without parts is no dataset for this."""
    with pytest.raises(KeyError, match="no 'pred_part'.*category.*gt_part"):
        PartSegMetric().process({}, [dict(gt_part=torch.tensor([3]), category=torch.tensor(1))])
    with pytest.raises(KeyError, match="has no 'class_parts'"):
        evaluate([('a', [0], [0])], dict(classes=('a',)))


PROCESS = """
import sys, torch
from mmengine.evaluator import Evaluator
from point_peft.evaluation import PartSegMetric

rank = int(sys.argv[1])
torch.distributed.init_process_group('gloo', init_method='file://' + sys.argv[2], rank=rank, world_size=2)
evaluator = Evaluator(PartSegMetric())
evaluator.dataset_meta = dict(classes=('a', 'b'), class_parts=dict(a=(0, 1), b=(2, 3)))
# Three objects dealt out in turn; the sampler repeats the first to even out the processes.
objects = [(0, [0, 1], [0, 1]), (1, [2, 2], [2, 3]), (0, [0, 1], [1, 0]), (0, [0, 1], [0, 1])]
samples = [
    dict(category=torch.tensor(c), gt_part=torch.tensor(t), pred_part=torch.tensor(p)) for c, t, p in objects
]
evaluator.process(data_samples=samples[rank::2])
print(evaluator.evaluate(3))
"""


def test_two_processes(tmp_path: Path) -> None:
    """Both get the scores of all objects, each counted once: 1, 1/4 and 0; a: 1/2, b: 1/4; 3 of 6 points."""
    running = [
        subprocess.Popen(
            [sys.executable, '-c', PROCESS, str(rank), str(tmp_path / 'store')],
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    outputs = [process.communicate(timeout=60)[0] for process in running]
    for output in outputs:
        result = ast.literal_eval(output.strip().splitlines()[-1])
        assert result == pytest.approx(dict(instance_miou=125 / 3, class_miou=37.5, point_accuracy=50.0))
