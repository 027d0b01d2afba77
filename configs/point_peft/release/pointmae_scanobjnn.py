"""The released Point-PEFT on Point-MAE, ScanObjectNN PB_T50_RS: for the authors' checkpoints, quirks included.

Convert them first with tools/model_converters/convert_official.py (docs/model_zoo.md).
"""
_base_ = [
    '../../_base_/datasets/scanobjnn_hardest.py', '../../_base_/schedules/adamw_300e.py', '../../_base_/default_runtime.py'
]
custom_imports = dict(imports=['point_peft.release'])
model = dict(
    type='PointClassifier',
    backbone=dict(type='ReleasePointPEFT', num_groups=128, group_size=32, drop_path_rate=0.1),
    head=dict(type='PointClsHead', num_classes=15))
find_unused_parameters = True  # 62 268 of the published trainable parameters take no part
