"""PointGPT-L; the checkpoint is the official one after post-pre-training (docs/model_zoo.md). Trained like PointGPT-B, but for
50 epochs on all data.
"""
_base_ = 'pointgpt_b.py'
backbone = dict(
    embed_dim=1024,
    depth=24,
    num_heads=16,
    init_cfg=dict(checkpoint='checkpoints/pointgpt_l_pretrain.pth'))
when = {'full and points_2048': dict(param_scheduler={'1': dict(end=50)}, train_cfg=dict(max_epochs=50))}
