"""PointGPT-L, full size; the checkpoint is the official one after post-pre-training (docs/model_zoo.md).

In full fine-tuning the generator of the pre-training stays, as an auxiliary task; tuned configs leave it out.
"""
model = dict(
    type='PointClassifier',
    backbone=dict(
        type='PointGPT',
        embed_dim=1024,
        depth=24,
        num_heads=16,
        num_groups=128,
        group_size=32,
        patch_dims=(256, 512, 1024, 2048),
        init_cfg=dict(type='Pretrained', checkpoint='checkpoints/pointgpt_l_pretrain.pth')),
    head=dict(type='PointClsHead', pool=('cls', 'max'), token_norm=True),
    auxiliary_head=dict(type='GenerationHead', depth=4, num_heads=16, group_size=32, loss_weight=3.0))
