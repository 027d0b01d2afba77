"""Group-Free 3D (Liu et al., ICCV 2021) of mmdet3d, seeds from a pre-trained transformer; head and losses as in its config.

The encoder's parts come from the backbone, the numbers of classes and sizes from the dataset.
"""
_base_ = '../detection_runtime.py'
tags = ('detection', )
model = dict(
    type='mmdet3d.GroupFree3DNet',
    _scope_='mmdet3d',
    data_preprocessor=dict(type='Det3DDataPreprocessor'),
    backbone=dict(
        type='point_peft.SceneEncoder',
        _scope_='point_peft',
        backbone='${backbone}',
        neck=dict(type='SeedNeck', out_channels=288),
        extra_channels=1),
    bbox_head=dict(
        type='GroupFree3DHead',
        in_channels=288,
        num_decoder_layers=6,
        num_proposal=256,
        size_cls_agnostic=False,
        num_classes='${num_classes}',
        bbox_coder=dict(
            type='GroupFree3DBBoxCoder',
            size_cls_agnostic=False,
            num_sizes='${box_coder.num_sizes}',
            num_dir_bins='${box_coder.num_dir_bins}',
            with_rot='${box_coder.with_rot}',
            mean_sizes='${box_coder.mean_sizes}'),
        transformerlayers=dict(
            type='BaseTransformerLayer',
            attn_cfgs=dict(
                type='GroupFree3DMHA',
                embed_dims=288,
                num_heads=8,
                attn_drop=0.1,
                dropout_layer=dict(type='Dropout', drop_prob=0.1)),
            ffn_cfgs=dict(
                embed_dims=288, feedforward_channels=2048, ffn_drop=0.1, act_cfg=dict(type='ReLU', inplace=True)),
            operation_order=('self_attn', 'norm', 'cross_attn', 'norm', 'ffn', 'norm')),
        pred_layer_cfg=dict(in_channels=288, shared_conv_channels=(288, 288), bias=True),
        sampling_objectness_loss=dict(
            type='mmdet.FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25, loss_weight=8.0),
        objectness_loss=dict(type='mmdet.FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25, loss_weight=1.0),
        center_loss=dict(type='mmdet.SmoothL1Loss', beta=0.04, reduction='sum', loss_weight=10.0),
        dir_class_loss=dict(type='mmdet.CrossEntropyLoss', reduction='sum', loss_weight=1.0),
        dir_res_loss=dict(type='mmdet.SmoothL1Loss', reduction='sum', loss_weight=10.0),
        size_class_loss=dict(type='mmdet.CrossEntropyLoss', reduction='sum', loss_weight=1.0),
        size_res_loss=dict(type='mmdet.SmoothL1Loss', beta=1.0 / 9.0, reduction='sum', loss_weight=10.0 / 9.0),
        semantic_loss=dict(type='mmdet.CrossEntropyLoss', reduction='sum', loss_weight=1.0)),
    train_cfg=dict(sample_mode='kps'),
    test_cfg=dict(
        sample_mode='kps', nms_thr=0.25, score_thr=0.0, per_class_proposal=True, prediction_stages='last_three'))
when = {'not full': dict(model=dict(backbone=dict(peft='${peft}')))}
