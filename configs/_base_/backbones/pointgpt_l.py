"""PointGPT-L; the checkpoint is the official one after post-pre-training (docs/model_zoo.md). Trained like PointGPT-B, but for
50 epochs on all data.
"""
_base_ = 'pointgpt_b.py'
backbone = dict(
    embed_dim=1024,
    depth=24,
    num_heads=16,
    init_cfg=dict(checkpoint='checkpoints/pointgpt_l_pretrain.pth'))
when = {
    'full and points_2048': dict(
        param_scheduler=[
            dict(type='LinearLR', start_factor=1e-6 / 1e-4, begin=0, end=10),
            dict(type='CosineAnnealingLR', eta_min=1e-6, begin=10, end=50),
        ],
        train_cfg=dict(max_epochs=50)),
}
