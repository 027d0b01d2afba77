"""3DETR for boxes that are turned: numbers as in its training script for SUN RGB-D."""
_base_ = 'detr3d.py'
model = dict(
    bbox_head=dict(num_queries=128, no_object_weight=0.1),
    train_cfg=dict(
        assigner=dict(
            match_costs=[
                dict(type='mmdet.ClassificationCost', weight=1.0),
                dict(type='point_peft.EnclosingGIoUCost', weight=3.0),
                dict(type='point_peft.CenterL1Cost', weight=5.0),
                dict(type='point_peft.ObjectnessCost', weight=5.0),
            ])))
