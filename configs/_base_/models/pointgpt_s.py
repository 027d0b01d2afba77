"""PointGPT-S, full size; the checkpoint is the official pre-training on ShapeNet55 (docs/model_zoo.md).

In full fine-tuning the generator of the pre-training stays, as an auxiliary task; tuned configs leave it out.
"""
model = dict(
    type='PointClassifier',
    backbone=dict(
        type='PointGPT',
        embed_dim=384,
        depth=12,
        num_heads=6,
        num_groups=128,
        group_size=32,
        init_cfg=dict(type='Pretrained', checkpoint='checkpoints/pointgpt_s_pretrain.pth')),
    head=dict(type='PointClsHead', pool=('cls', 'max'), token_norm=True),
    auxiliary_head=dict(type='GenerationHead', depth=4, num_heads=6, group_size=32, loss_weight=3.0))
