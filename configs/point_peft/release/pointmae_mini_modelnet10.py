"""What the released Point-PEFT computes, on the mini Point-MAE and ModelNet10, to compare it with the repaired default.

Docs: docs/paper_vs_release.md.
"""
_base_ = ['../../full/pointmae_mini_modelnet10.py']
custom_imports = dict(imports=['point_peft.release'])
model = dict(
    backbone=dict(
        _delete_=True,
        type='ReleasePointPEFT',
        embed_dim=192,
        depth=4,
        num_heads=6,
        patch_dims=(48, 96, 192),
        num_groups=64,
        group_size=16,
        num_regions=32,
        drop_path_rate=0.0,
        prior=dict(
            num_groups=64,
            group_size=16,
            init_cfg=dict(type='Pretrained', checkpoint='checkpoints/pointmae_mini.safetensors'))))
custom_hooks = [dict(type='ReleaseBankHook')]
find_unused_parameters = True  # the prompts of the second half take no part
