"""3DETR (Misra et al., ICCV 2021), seeds from a pre-trained transformer; numbers as in its training script for ScanNet.

The encoder's parts come from the backbone, the numbers of classes and sizes from the dataset.
"""
_base_ = '../detection_runtime.py'
tags = ('detection', )
model = dict(
    type='point_peft.Detr3D',
    _scope_='mmdet3d',
    data_preprocessor=dict(type='Det3DDataPreprocessor'),
    backbone=dict(
        type='point_peft.SceneEncoder',
        _scope_='point_peft',
        backbone='${backbone}',
        neck=dict(type='SeedNeck', out_channels=256),
        extra_channels=1),
    bbox_head=dict(
        type='point_peft.Detr3DHead',
        num_queries=256,
        center_range=1.0,
        position_scale=1.0,
        num_classes='${num_classes}',
        bbox_coder=dict(
            type='GroupFree3DBBoxCoder',
            size_cls_agnostic=True,
            num_sizes='${box_coder.num_sizes}',
            num_dir_bins='${box_coder.num_dir_bins}',
            with_rot='${box_coder.with_rot}',
            mean_sizes='${box_coder.mean_sizes}'),
        decoder=dict(
            num_layers=8,
            return_intermediate=True,
            layer_cfg=dict(
                self_attn_cfg=dict(embed_dims=256, num_heads=4, attn_drop=0.1, proj_drop=0.1, batch_first=True),
                cross_attn_cfg=dict(embed_dims=256, num_heads=4, attn_drop=0.1, proj_drop=0.1, batch_first=True),
                ffn_cfg=dict(
                    embed_dims=256, feedforward_channels=256, ffn_drop=0.1, act_cfg=dict(type='ReLU', inplace=True))),
            init_cfg=dict(type='Xavier', layer='Linear', distribution='uniform')),
        pred_layer_cfg=dict(
            in_channels=256, shared_conv_channels=(256, ), cls_conv_channels=(256, ), reg_conv_channels=(256, )),
        no_object_weight=0.25,
        losses=dict(
            loss_cls=dict(type='mmdet.CrossEntropyLoss', loss_weight=1.0),
            loss_center=dict(type='mmdet.L1Loss', loss_weight=5.0),
            loss_size=dict(type='mmdet.L1Loss', loss_weight=1.0),
            loss_dir_class=dict(type='mmdet.CrossEntropyLoss', loss_weight=0.1),
            loss_dir_res=dict(type='mmdet.SmoothL1Loss', beta=1.0, loss_weight=0.5),
            loss_iou=dict(type='point_peft.AxisAlignedGIoULoss', loss_weight=1.0))),
    train_cfg=dict(
        assigner=dict(
            type='mmdet.HungarianAssigner',
            match_costs=[
                dict(type='mmdet.ClassificationCost', weight=1.0),
                dict(type='point_peft.EnclosingGIoUCost', weight=2.0),
                dict(type='point_peft.CenterL1Cost', weight=0.0),
                dict(type='point_peft.ObjectnessCost', weight=0.0),
            ])),
    test_cfg=dict(nms_thr=0.25, score_thr=0.05, per_class_proposal=True, min_points=5))
when = {'not full': dict(model=dict(backbone=dict(peft='${peft}')))}
