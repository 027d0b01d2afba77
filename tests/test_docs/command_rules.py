"""What the tests do with every command of the documentation; a command that is not sorted here fails."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """What happens to the commands that match ``pattern`` from end to end."""

    pattern: str

    def takes(self, text: str) -> bool:
        return re.fullmatch(self.pattern, text) is not None


@dataclass(frozen=True)
class Runs(Rule):
    """It is run to its end, cut down by ``options`` for ``--cfg-options``."""

    options: Sequence[str] = ()


@dataclass(frozen=True)
class Stops(Rule):
    """It needs what is not here: it is run until it says so, with this sentence, and has been understood by then."""

    says: str = 'does not exist'


@dataclass(frozen=True)
class Elsewhere(Rule):
    """Another test runs it, cut down; here its flags are read, and its config with its options."""

    test: str = ''


@dataclass(frozen=True)
class NotRun(Rule):
    """It is not run, for a reason; the files of the repository that it names are there."""

    reason: str = ''


SIZES = dict(embed_dim=16, depth=2, num_heads=2, num_groups=16, group_size=8, patch_dims='(8,8,16)')
TINY = ('model.backbone.init_cfg=None', *(f'model.backbone.{name}={value}' for name, value in SIZES.items()))
FEW = (
    'train_dataloader.dataset.num_samples=32',
    'val_dataloader.dataset.num_samples=16',
    'test_dataloader.dataset.num_samples=16',
    *(f'{split}_dataloader.dataset.num_points=128' for split in ('train', 'val', 'test')),
)
ONCE = ('train_cfg.max_epochs=1',)

TOOL = 'tests/test_tools/test_'
TRAIN, TEST, INFER = (rf'python tools/{name}\.py' for name in ('train', 'test', 'infer'))
TIER = 'needs the detection tier'
ROOMS = r'\w+/\w+_(scannet|s3dis|votenet|groupfree3d|3detr)\w*'
FOLDER = 'point_peft/pointmae_mini_folder --data my_clouds'
INSTALLED = 'tests/test_installed.py::test_from_a_folder_to_predictions'
TUTORIAL = 'tests/test_docs/test_tutorial.py::test_both_parts'
BACKBONE = 'tests/test_docs/test_tutorial_backbone.py'
DETECTION = 'tests/test_detection/test_'

RULES: tuple[Rule, ...] = (
    # Own data
    Elsewhere(rf'{TRAIN} {FOLDER}', f'{TOOL}own_data.py::test_training'),
    Elsewhere(rf'{TRAIN} {FOLDER} --folds 5', f'{TOOL}own_data.py::test_folds'),
    Runs(rf'{TRAIN} lora/pointmae_mini_folder --data my_clouds .*', (*TINY, *ONCE)),
    Runs(
        rf'{INFER} (CHECKPOINT|PART_CHECKPOINT|work_dirs/x/\S+|work_dirs/point_peft/pointmae_mini_folder_\S+) .*'
    ),
    Runs(r'python tools/dataset_converters/check_dataset\.py \S+/folder\.py .*data_root=my_clouds'),
    # Built-in data
    Runs(rf'{TRAIN} \S+/pointmae_mini_shapes\.py --work-dir \S+ .*', (*TINY, *FEW, *ONCE)),
    Runs(rf'{TRAIN} point_peft/recon_shapes .*', (*FEW, *ONCE, 'model.backbone.num_groups=16')),
    Runs(rf'{TRAIN} CONFIG --cfg-options load_from=.*', ONCE),
    Runs(rf'{TRAIN} CONFIG --resume FILE', ('train_cfg.max_epochs=2',)),
    Runs(rf'{TEST} CONFIG CHECKPOINT --show-dir work_dirs/show'),
    Runs(r'python tools/misc/print_config\.py .*'),
    Elsewhere(rf'{TEST} CONFIG .*--show-num 40', f'{TOOL}show.py::test_classification'),
    Elsewhere(rf'{TEST} CONFIG .*--show-score 0\.1', f'{TOOL}show.py::test_score_reaches_the_hook'),
    Elsewhere(rf'{TEST} CONFIG work_dirs/x/\S+', f'{TOOL}train.py::test_train_then_test_then_join'),
    Elsewhere(rf'{TEST} \S+ CHECKPOINT --votes 10', f'{TOOL}show.py::test_votes'),
    Elsewhere(rf'{TRAIN} CONFIG --resume', f'{TOOL}train.py::test_truncated_last_file_costs_one_warning'),
    Elsewhere(
        rf'{TRAIN} CONFIG --amp( --amp-dtype bfloat16)?', f'{TOOL}train.py::test_user_errors_are_one_sentence'
    ),
    Elsewhere(
        rf'{TRAIN} CONFIG --compile( max-autotune)?',
        'tests/test_apis/test_training_flags.py::test_compiling',
    ),
    Elsewhere(rf'{TRAIN} CONFIG --auto-scale-lr', f'{TOOL}train.py::test_flags_reach_the_run'),
    Elsewhere(
        rf'{TRAIN} CONFIG --tensorboard',
        'tests/test_engine/test_runtime/test_visualizer.py::test_tensorboard',
    ),
    Elsewhere(
        rf'{TRAIN} CONFIG --wandb .*',
        'tests/test_engine/test_runtime/test_visualizer.py::test_weights_and_biases',
    ),
    Runs(rf'{TRAIN} point_peft/pointmae_mini_shapes_part .*', (*TINY, *FEW, *ONCE)),
    Elsewhere(r'python tools/quickstart\.py --work-dir \S+ .*', f'{TOOL}quickstart.py::test_end_to_end'),
    Elsewhere('bash tools/quickstart.sh', f'{TOOL}quickstart.py::test_end_to_end'),
    Elsewhere(
        r'python tools/few_shot\.py point_peft/\w+_fewshot_shapes',
        f'{TOOL}few_shot.py::test_mean_and_deviation',
    ),
    Elsewhere(r'python tools/misc/list_configs\.py', f'{TOOL}list_configs.py::test_table'),
    Elsewhere(
        r'python tools/misc/browse_dataset\.py \S+/shapes_(scan|part)\.py.*',
        f'{TOOL}browse_dataset.py::test_pictures',
    ),
    Elsewhere(r'python tools/demo\.py.*', 'tests/test_demo/test_demo_tool.py::test_until_ctrl_c'),
    Elsewhere(r'python tools/\S+/join_adapter\.py .*', f'{TOOL}train.py::test_train_then_test_then_join'),
    Elsewhere(r'python tools/\S+/publish_model\.py .*', f'{TOOL}publish_model.py::test_encoder_alone'),
    Elsewhere(r'python tools/\S+/collect_meshes\.py .* --append .*', f'{TOOL}collect_meshes.py::test_append'),
    Elsewhere(r'python tools/\S+/collect_meshes\.py .*', f'{TOOL}collect_meshes.py::test_round_trip'),
    Elsewhere(r'python tools/\S+/probe\.py CONFIG .*', f'{TOOL}probe.py::test_table_numbers_and_picture'),
    Elsewhere(r'python tools/deployment/export\.py .*', 'tests/test_deployment/test_export.py::test_tool'),
    Elsewhere(r'bash tools/dist_train\.sh CONFIG 2', f'{TOOL}dist.py::test_two_processes_without_gpu'),
    Elsewhere(r'bash tools/slurm_train\.sh .*', f'{TOOL}dist.py::test_slurm_command'),
    # Tutorials and packages
    Elsewhere(
        r'(python my_project/make_data\.py|python tools/\S+ my_project/(classify|measure)\.py.*)', TUTORIAL
    ),
    Elsewhere(r'PYTHONPATH=\. python my_project/check\.py', f'{BACKBONE}::test_contract'),
    Elsewhere(r'PYTHONPATH=\. \S+ tools/train\.py my_project/image_\S+', f'{BACKBONE}::test_both_trainings'),
    Elsewhere(
        r'PYTHONPATH=\. \S+ tools/train\.py my_project/ia3\S+',
        'tests/test_docs/test_package_readme.py::test_method',
    ),
    Elsewhere(r'pip install point_peft-\S+\.whl|point-peft (train|infer) .*', INSTALLED),
    # Data and weights that are to be downloaded
    Stops(
        rf'{TRAIN} (configs/)?\w+/(pointmae|pointgpt_l|recon)_'
        r'(scanobjnn|modelnet40|modelnet10|shapenetpart|folder)\S*.*'
    ),
    Stops(rf'({TEST}|{INFER}) (configs/)?\w+/(release/)?(pointmae|recon)_(scanobjnn|shapenetpart)\S* .*'),
    Stops(rf'{TRAIN} configs/pretrain/pointmae_mini\.py .*'),
    Stops(r'python tools/build_memory_bank\.py .*'),
    Stops(r'python tools/few_shot\.py \w+/\w+_fewshot_modelnet[14]0.*'),
    Stops(r'python tools/analysis_tools/probe\.py configs/.*'),
    Stops(r'python tools/experiments/run\.py .*'),
    Stops(r'python tools/model_converters/convert_official\.py .*'),
    Stops(r'python tools/\S+/(check|browse)_dataset\.py \S+/modelnet40\.py.*'),
    # The detection tier, whose own tests run these
    Stops(rf'{TEST} point_peft/pointmae_scannet_seg work_dirs/.*'),
    Stops(rf'({TRAIN}|{TEST}|python tools/misc/browse_dataset\.py) (configs/)?{ROOMS}.*', TIER),
    Stops(r'python tools/misc/browse_dataset\.py \S+/(shapes_scene|scannet_det|scannet_seg)\.py.*', TIER),
    Stops(r'python tools/analysis_tools/benchmark\.py full/pointmae_mini_votenet_shapes_scene .*', TIER),
    Elsewhere(
        r'python tools/analysis_tools/benchmark\.py \w+/pointmae_scanobjnn .*--grow model\.backbone\.num_groups .*',
        f'{TOOL}benchmark.py::test_growth',
    ),
    Elsewhere(
        r'python tools/analysis_tools/benchmark\.py \w+/pointmae_scanobjnn .*--dtype bfloat16',
        f'{TOOL}benchmark.py::test_bfloat16',
    ),
    Elsewhere(
        r'python tools/analysis_tools/benchmark\.py \w+/pointmae_scanobjnn .*--grow processes .*',
        f'{TOOL}benchmark.py::test_processes',
    ),
    Elsewhere(
        r'python tools/analysis_tools/benchmark\.py \w+/pointmae_folder --grow files .*',
        'tests/test_experiments/test_folders.py::test_growth',
    ),
    Elsewhere(
        r'python tools/analysis_tools/benchmark_ops\.py --ops fps regions .*',
        'tests/test_ops/test_benchmark_ops.py::test_every_operation_is_timed_against_its_plain_form',
    ),
    Elsewhere(
        r'python tools/analysis_tools/benchmark\.py \w+/pointmae_scanobjnn .* --json cost\.json',
        f'{TOOL}benchmark.py::test_costs',
    ),
    Elsewhere(
        r'python tools/analysis_tools/compare_methods\.py .*--on pointmae_scanobjnn.*',
        'tests/test_experiments/test_cost_report.py::test_tool',
    ),
    Stops(r'python tools/dataset_converters/indoor\.py .*', TIER),
    Elsewhere(
        r'bash tools/dist_train\.sh \S+_votenet_scannet\.py 8', f'{DETECTION}tools.py::test_two_processes'
    ),
    # Not for a test
    NotRun(r'bash tools/run_(detection_)?tests\.sh( -m thorough)?|bash \.ci/run', 'would run these tests'),
    NotRun(r'(\w+=\S+ )?bash tools/setup_env\.sh.*|source \.venv/bin/activate', 'installs packages'),
    NotRun(r'pip install .*', 'installs packages'),
    NotRun(r'mkdocs serve', 'serves until it is stopped; tests/test_docs/test_site.py builds the site'),
    NotRun(r'export \w+=\S+', 'sets a variable'),
    NotRun(r'(git clone|cp -r|mkdir|unzip|mv|\(cd data/) ?.*', 'unpacks a download that needs an agreement'),
    NotRun(
        r'for type in .*; do|python download-scannet\.py .*|done', 'the download that ScanNet sends by mail'
    ),
)
