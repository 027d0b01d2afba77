"""What an adapter may be made from."""

from __future__ import annotations

from typing import Any

import pytest
from mmengine.config import Config
from small_models import METHODS, build_classifier

from point_peft.adapters.recipes import recipe, with_changes
from point_peft.engine.config import load_config
from point_peft.io.errors import PointPEFTError

CLASSIFIER = dict(backbone='PointMAE', model='PointClassifier')


def test_a_name_gives_what_the_config_of_the_combination_has() -> None:
    for method, backbone, types in (
        ('lora', 'pointmae', CLASSIFIER),
        ('point_peft', 'pointm2ae', dict(CLASSIFIER, backbone='PointM2AE')),
        ('point_peft', 'pointbert', dict(CLASSIFIER, backbone='PointBERT')),
    ):
        wanted = load_config(f'{method}/{backbone}_scanobjnn').model
        methods, head = recipe(method, types)
        assert methods == Config(dict(methods=wanted.peft.methods)).to_dict()['methods'] and head == {}
    assert recipe('linear_probe', CLASSIFIER)[1] == dict(pool=('max', 'mean'), hidden_dims=())


@pytest.mark.parametrize(
    'method',
    [
        METHODS['lora'],
        METHODS['lora'][0],
        dict(type='PEFTBackbone', methods=METHODS['lora']),
        Config(dict(methods=METHODS['lora'])).methods,
    ],
)
def test_configs(method: Any) -> None:
    assert recipe(method, CLASSIFIER) == ([dict(type='LoRA', rank=2)], {})


def test_changes_go_where_they_are_taken() -> None:
    methods, _ = recipe('lora', CLASSIFIER)
    changed = with_changes(methods, dict(rank=3, biases=True))
    assert changed[0]['rank'] == 3 and changed[1]['biases'] and methods[0]['rank'] == 8
    assert with_changes([dict(type='DoRA')], dict(alpha=2)) == [dict(type='DoRA', alpha=2)]


@pytest.mark.parametrize(
    ('method', 'changes', 'message'),
    [
        ('lorra', {}, "there is no method 'lorra'; there is lora"),
        ('full', {}, "method 'full' tunes the whole network"),
        (3, {}, '3 is no tuning method; give the name of one'),
        (dict(type='PointMAE'), {}, "'PointMAE' is no tuning method that is registered"),
        (dict(rank=3), {}, 'None is no tuning method that is registered'),
        (dict(type='LoRA', rnk=3), {}, "LoRA has no argument 'rnk'; did you mean 'rank'?"),
        ('lora', dict(rnk=3), 'rnk=3 goes to none of the methods .LoRA, SelectiveTuning.; they take rank'),
        ('linear_probe', dict(rank=3), 'rank=3 goes to none of the methods .none.; they take nothing'),
    ],
)
def test_refusals(method: Any, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(PointPEFTError, match=message):
        with_changes(recipe(method, CLASSIFIER)[0], changes)


def test_a_model_without_config_of_its_head() -> None:
    from torch import nn

    from point_peft.adapters import get_peft_model

    model = build_classifier(None)
    model.head = nn.Identity()
    with pytest.raises(PointPEFTError, match="nothing says how the model's was built"):
        get_peft_model(model, 'linear_probe')
