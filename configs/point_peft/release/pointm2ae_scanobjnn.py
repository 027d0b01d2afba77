"""The released Point-PEFT on Point-M2AE, ScanObjectNN PB_T50_RS: for the authors' checkpoints, quirks included.

Convert them first with tools/model_converters/convert_official.py (docs/model_zoo.md).
"""
_base_ = [
    '../../_base_/datasets/scanobjnn_hardest.py', '../../_base_/schedules/adamw_300e.py', '../../_base_/default_runtime.py'
]
custom_imports = dict(imports=['point_peft.release'])
model = dict(
    type='PointClassifier',
    backbone=dict(
        type='ReleasePointPEFTM2AE',
        num_groups=(512, 256, 64),
        group_size=(32, 16, 16),
        local_radius=(0.32, 0.64, 1.28),
        drop_path_rate=0.1),
    head=dict(type='PointClsHead', num_classes=15, pool=('mean', 'max')))
find_unused_parameters = True  # with an empty bank the prompts' bottlenecks take no part
