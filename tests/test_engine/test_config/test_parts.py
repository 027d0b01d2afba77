"""Configs that name their parts: children, references, names, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from point_peft.apis import get_config, init_model
from point_peft.engine.config import Combination, OptionText, compose, find_config, load_config
from point_peft.io.errors import ConfigError, MissingFileError, PointPEFTError

ROOT = Path(__file__).resolve().parents[3]
PARTS = "parts = dict(backbone='pointmae_mini', task='shapes', method='lora')\n"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory that is not the repository's."""
    monkeypatch.chdir(tmp_path)


def write(name: str, text: str) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_child_reaches_everything_that_refers_to_it() -> None:
    write('mine.py', PARTS + 'num_classes = 7\nbackbone = dict(depth=2)\n')
    cfg = load_config('mine.py')
    assert (cfg.num_classes, cfg.model.head.num_classes) == (7, 7)
    assert (cfg.model.backbone.depth, cfg.model.backbone.embed_dim) == (2, 192)
    write(
        'child.py',
        "_base_ = 'mine.py'\nparts = dict(method='full')\nmodel = dict(backbone=dict(num_groups=8))\n",
    )
    child = load_config('child.py')
    assert 'peft' not in child.model and child.model.head.num_classes == 7
    assert (child.model.backbone.depth, child.model.backbone.num_groups) == (2, 8)
    assert load_config('mine.py', {'num_classes': OptionText('5')}).model.head.num_classes == 5
    assert (
        get_config('mine.py', backbone=dict(depth=3), **{'peft.methods.0.rank': 2}).model.peft.methods[0].rank
        == 2
    )


def test_few_shot_ways_reach_head_and_folds() -> None:
    assert get_config('full/pointmae_modelnet10', num_classes=3).val_dataloader.dataset.num_classes == 3
    cfg = get_config('full/pointmae_fewshot_modelnet10', num_classes=3)
    ways = [cfg[f'{split}_dataloader'].dataset.num_ways for split in ('train', 'test')]
    assert [cfg.model.head.num_classes, *ways] == [3, 3, 3]


def test_delete_counts_for_all_that_is_below() -> None:
    """Also where the file in between has changed the same dict, which MMEngine would take for all there is."""
    write('mine.py', PARTS + 'model = dict(backbone=dict(depth=2), head=dict(dropout=0.1))\n')
    write('child.py', "_base_ = 'mine.py'\nmodel = dict(backbone=dict(_delete_=True, type='Mine', a=1))\n")
    write('third.py', "_base_ = ['child.py']\nmodel = dict(backbone=dict(b=2), head=dict(pool=('max',)))\n")
    assert load_config('child.py').model.backbone == dict(type='Mine', a=1)
    model = load_config('third.py').model
    assert model.backbone == dict(type='Mine', a=1, b=2)
    assert (model.head.pool, model.head.dropout) == (('max',), 0.1)


def test_lists_are_replaced_and_their_entries_changed() -> None:
    write(
        'mine.py',
        PARTS
        + "param_scheduler = [dict(type='ConstantLR', end=3)]\npeft = dict(methods={'0': dict(rank=3)})\n",
    )
    cfg = load_config('mine.py')
    assert [scheduler.type for scheduler in cfg.param_scheduler] == ['ConstantLR']
    assert [hook.get('rank') for hook in cfg.model.peft.methods] == [3, None]
    text = "_base_ = 'mine.py'\nmethods = [*_base_.peft.methods, dict(type='VPTDeep')]\npeft = dict(methods=methods)\n"
    write('child.py', text + 'n = {{_base_.num_classes}}\n')
    child = load_config('child.py')
    assert [hook.type for hook in child.model.peft.methods] == [
        'LoRA',
        'SelectiveTuning',
        'VPTDeep',
    ] and child.n == 16


def test_variables_of_mmengine_and_helpers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('CLASSES_OF_TEST', '9')
    write(
        'mine.py',
        PARTS
        + "_n = 3\nn = _n\nnum_classes = {{$CLASSES_OF_TEST:8}}\nexperiment_name = '{{fileBasename}}'\n",
    )
    cfg = load_config('mine.py')
    assert (cfg.model.head.num_classes, cfg.experiment_name, cfg.n) == (9, 'mine.py', 3) and '_n' not in cfg
    monkeypatch.delenv('CLASSES_OF_TEST')
    assert load_config('mine.py').model.head.num_classes == 8
    write(
        'quoted.py',
        "a = {{'$CLASSES_OF_TEST:7'}}\nb = '{{ fileDirname }}/{{$CLASSES_OF_TEST:x}}'\nc = '{{d}}'\n",
    )
    quoted = load_config('quoted.py')
    assert (quoted.a, quoted.b, quoted.c) == (7, './x', '{{d}}')
    write('needed.py', "a = '{{$CLASSES_OF_TEST:}}'\n")
    with pytest.raises(ConfigError, match=r"needed\.py cannot be read \(KeyError: 'CLASSES_OF_TEST'\)"):
        load_config('needed.py')


def test_conditions_are_expressions_of_names_and_tags() -> None:
    text = (
        "peft = dict(type='PEFTBackbone', methods=[])\ntags = 'one_word'\nwhen = {{{}: dict(found=True)}}\n"
    )
    parts = PARTS.replace("'lora'", "'own.py'")
    for condition, holds in {
        'shapes': True,
        'own and one_word': True,
        'few_shot or not (detection or recon)': True,
        'shapes and few_shot': False,
        'not classification': False,
        'nobody_has_this': False,
    }.items():
        write('own.py', text.format(repr(condition)))
        assert load_config(write('mine.py', parts)).get('found', False) == holds, condition


def test_config_says_things_of_combinations_too() -> None:
    text = "tags = 'mine'\nwhen = {'mine and full': dict(num_classes=5), 'lora': dict(num_classes=6)}\n"
    write('mine.py', PARTS + text + "supports = {'not few_shot': 'It needs many labels.'}\n")
    write('child.py', "_base_ = 'mine.py'\nparts = dict(method='full')\n")
    write('few.py', "_base_ = 'mine.py'\nparts = dict(task='fewshot_shapes')\n")
    assert [load_config(name).model.head.num_classes for name in ('mine.py', 'child.py')] == [6, 5]
    with pytest.raises(ConfigError, match=r'few\.py: It needs many labels\.'):
        load_config('few.py')


def test_part_supports_what_it_says() -> None:
    write('own.py', "_base_ = 'frozen.py'\nsupports = {'not few_shot': 'It needs many labels.'}\n")
    write(
        'frozen.py',
        "peft = dict(type='PEFTBackbone', methods=[])\nsupports = {'pointmae_mini': 'It is small.'}\n",
    )
    parts = PARTS.replace("'lora'", "'own.py'")
    assert load_config(write('mine.py', parts)).model.peft.methods == []
    for old, new, reason in (
        ('shapes', 'fewshot_shapes', r'mine\.py: It needs many labels\.'),
        ('pointmae_mini', 'act', r'mine\.py: It is small\.'),
    ):
        with pytest.raises(ConfigError, match=reason):
            load_config(write('mine.py', parts.replace(f"'{old}'", f"'{new}'")))


def test_file_that_is_inherited_twice_counts_once() -> None:
    write('root.py', PARTS + 'num_classes = 3\nbackbone = dict(depth=1)\n')
    write('left.py', "_base_ = 'root.py'\nbackbone = dict(depth=2)\n")
    write('right.py', "_base_ = './root.py'\nnum_classes = 4\n")
    cfg = load_config(write('both.py', "_base_ = ['left.py', 'right.py']\n"))
    assert (cfg.model.backbone.depth, cfg.model.head.num_classes) == (2, 4)


def test_part_that_nobody_chose_may_be_broken() -> None:
    write('configs/_base_/methods/broken.py', 'peft = (\n')
    assert load_config('lora/recon_shapes').model.backbone.type == 'ReCon'
    with pytest.raises(ConfigError, match=r'broken\.py cannot be read \(SyntaxError'):
        load_config('broken/recon_shapes')


def test_options_change_entries_of_lists_in_parts() -> None:
    options = {'peft.methods.0.targets.0': OptionText('attn.proj'), 'backbone.depths.1': OptionText('3')}
    model = load_config('lora/pointm2ae_shapes', options).model
    assert model.peft.methods[0].targets == ['attn.proj', 'mlp.fc1', 'mlp.fc2']
    assert model.backbone.depths == (5, 3, 5)


@pytest.mark.parametrize(
    'form',
    [
        'lora/recon_shapes',
        'lora/recon_shapes.py',
        'configs/lora/recon_shapes.py',
        './configs/lora/recon_shapes.py',
        f'{ROOT}/configs/lora/recon_shapes.py',
        f'{ROOT}/tests/../configs/lora/recon_shapes.py',
    ],
)
def test_every_form_of_a_name(form: str) -> None:
    assert find_config(form) == Combination('lora', 'recon', 'shapes')
    cfg = load_config(form)
    assert cfg.model.backbone.type == 'ReCon' and Path(cfg.filename).name == 'recon_shapes.py'
    assert cfg.work_dir == 'work_dirs/lora/recon_shapes'


def test_file_comes_before_the_combination() -> None:
    name = 'point_peft/pointmae_mini_shapes'
    assert find_config(name) == ROOT / 'configs' / f'{name}.py'
    write('configs/lora/recon_shapes.py', PARTS)  # without parts beside it, this is no folder of configs
    assert find_config('configs/lora/recon_shapes.py') == Path('configs/lora/recon_shapes.py')
    assert load_config('configs/lora/recon_shapes.py').model.backbone.type == 'PointMAE'


def test_base_may_be_a_name() -> None:
    for base in ('lora/recon_shapes', f'{ROOT}/configs/lora/recon_shapes.py'):
        write('mine.py', f"_base_ = '{base}'\nnum_classes = 3\n")
        assert load_config('mine.py').model.head.num_classes == 3


def test_data_root_and_length_of_training() -> None:
    write(
        'mine.py',
        "_base_ = 'full/pointgpt_b_scanobjnn'\ndata_root = '/disk'\ntrain_cfg = dict(max_epochs=20)\n",
    )
    cfg = load_config('mine.py')
    assert {cfg[f'{split}_dataloader'].dataset.data_root for split in ('train', 'val', 'test')} == {'/disk'}
    assert cfg.param_scheduler[1].end == 20  # the schedule is the backbone's, and ends with its 30 epochs
    assert get_config('lora/recon_scanobjnn', data_root='/x').train_dataloader.dataset.data_root == '/x'


def test_config_that_mmengine_has_read() -> None:
    cfg = Config.fromfile(ROOT / 'configs/full/pointm2ae_scanobjnn.py')
    cfg.merge_from_dict({'model.head.num_classes': 40})
    assert compose(cfg).model.head == dict(
        type='PointClsHead', num_classes=40, pool=('mean', 'max_but_first')
    )
    own = write('mine.py', PARTS.replace("'lora'", "'frozen.py'"))
    write('frozen.py', "peft = dict(type='PEFTBackbone', methods=[])\n")
    assert compose(Config.fromfile(own)).model.peft.methods == []
    assert init_model(compose(Config.fromfile(own)), allow_random=True).backbone.methods is not None
    write(
        'mine.json', '{"parts": {"backbone": "recon", "task": "shapes", "method": "lora"}, "num_classes": 3}'
    )
    assert load_config('mine.json').model.head.num_classes == 3
    write('child.json', '{"_base_": "./mine.py", "num_classes": 4}')
    write('computed.py', "_base_ = ['mi' + 'ne.py']\nnum_classes = 4\n")
    for child in ('child.json', 'computed.py'):
        model = load_config(child).model
        assert (model.head.num_classes, model.peft.methods) == (4, [])
    plain = Config(dict(model=dict(a=1)))
    assert compose(plain) is plain


def test_modules_of_all_parts_are_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path.cwd())
    for name in ('of_part_a', 'of_part_b'):
        write(f'{name}.py', '')
    write(
        'a.py', "custom_imports = dict(imports='of_part_a')\npeft = dict(type='PEFTBackbone', methods=[])\n"
    )
    write(
        'mine.py',
        PARTS.replace("'lora'", "'a.py'") + "custom_imports = dict(imports=['of_part_b', 'of_part_a'])\n",
    )
    assert load_config('mine.py').custom_imports.imports == ['of_part_a', 'of_part_b']


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        (PARTS.replace('shapes', 'shape'), r"there is no task 'shape'; there is shapes"),
        (PARTS.replace("'lora'", "'gone.py'"), r"mine\.py: there is no method 'gone\.py'; .*path from the config"),
        (PARTS.replace('method', 'peft'), 'a backbone, a task, a method; it names a backbone, a task, a peft'),
        ("parts = dict(task='shapes')\n", r'mine\.py: .* a backbone, a task, a method; it names a task\.'),
        ("parts = 'lora'\n", "parts is 'lora', but should be a dict"),
        (PARTS + "a = '${num_clases}'\n", r'a refers to \$\{num_clases\}; did you mean num_classes\?'),
        (PARTS + "a = ['${zzz}']\n", r'a\.0 refers to \$\{zzz\}, which no part has'),
        (PARTS + "a = '${b}'\nb = dict(c='${a}')\n", r'references go in a circle: a -> b -> a|b -> a -> b'),
        (PARTS + "backbone = dict(depth='${backbone.depth}')\n", 'references go in a circle'),
        (PARTS + "a = 'x/${num_classes}'\n", r'a is .* but a reference is a whole string'),
        (PARTS + 'param_scheduler = dict(end=3)\n', r'mine\.py: param_scheduler is .*2 entries, .* add _delete_=True'),
        (PARTS + "peft = dict(methods={'7': dict(rank=3)})\n", r"mine\.py: peft\.methods is .*2 entries, which \{'7'"),
        (PARTS + 'num_classes = 1 / 0\n', r'mine\.py cannot be read \(ZeroDivisionError in line 2'),
        ("_base_ = 'lora/recon_shape'\n" + PARTS, r"'lora/recon_shape' does not exist; did you mean lora/recon_shapes"),
        ("_base_ = ['a' + '.json']\n" + PARTS, r"mine\.py cannot be read: its base 'a\.json' does not exist"),
        ("_base_ = 'mine.py'\n" + PARTS, 'inherits itself'),
        (PARTS.replace('shapes', 's3dis_seg').replace('pointmae_mini', 'pointgpt_l'), 'for classification only'),
        (PARTS.replace("'lora'", "'a.py'"), r"the name or tag 'clasification'; did you mean 'classification'\?"),
        (PARTS.replace("'lora'", "'b.py'"), r"b\.py: 'part seg' is no condition, such as"),
        (PARTS + "when = {'lora.x': dict()}\n", r"mine\.py: 'lora\.x' is no condition"),
        (PARTS.replace("'lora'", "'c.py'"), r'c\.py: supports is .* but should be a dict whose values are str'),
        (PARTS.replace("'lora'", "'d.py'"), r'd\.py cannot be read: it inherits itself'),
        (PARTS.replace("'lora'", '3'), r'parts is .* but should be a dict whose values are str'),
        (PARTS + "custom_imports = dict(imports=['no_such_module'])\n", r'no_such_module \(custom_imports\)'),
    ],
)  # fmt: skip
def test_mistakes_are_one_sentence(text: str, message: str) -> None:
    write('a.py', "when = {'clasification': dict(x=1)}\npeft = dict()\n")
    write('b.py', "when = {'part seg': dict(x=1)}\npeft = dict()\n")
    write('c.py', 'supports = dict(shapes=True)\n')
    write('d.py', "_base_ = 'd.py'\n")
    write('mine.py', text)
    with pytest.raises(PointPEFTError, match=message) as caught:
        load_config('mine.py')
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('lora/recn_shapes', r'does not exist; did you mean .*lora/recon_shapes'),
        ('lroa/recon_shapes', r'does not exist; did you mean .*lora/recon_shapes'),
        ('my_folder/lora/recon_shapes.py', 'does not exist'),
        ('/elsewhere/configs/lora/recon_shapes.py', 'does not exist'),
    ],
)
def test_unknown_names(name: str, message: str) -> None:
    with pytest.raises(MissingFileError, match=message):
        load_config(name)


def test_files_that_inherit_each_other() -> None:
    write('a.py', "_base_ = 'b.py'\n" + PARTS)
    write('b.py', "_base_ = 'a.py'\n")
    with pytest.raises(ConfigError, match='inherits itself'):
        load_config('a.py')


def test_options_that_no_part_reads() -> None:
    with pytest.raises(ConfigError, match='did you mean model'):
        load_config('lora/recon_shapes', {'bakbone.depth': OptionText('2')})
    with pytest.raises(ConfigError, match='has no effect'):
        load_config('lora/recon_shapes', {'dataset_type': OptionText('X')})


def same(first: Any, second: Any) -> bool:
    return first.to_dict() == second.to_dict()


def test_part_that_changes_is_read_again() -> None:
    write('own.py', "peft = dict(type='PEFTBackbone', methods=[])\n")
    write('mine.py', PARTS.replace("'lora'", "'own.py'"))
    before = load_config('mine.py')
    write('own.py', "peft = dict(type='PEFTBackbone', methods=[dict(type='LoRA', rank=2)])\n")
    os.utime('own.py', ns=(0, 0))
    assert not same(before.model, load_config('mine.py').model)
