"""Point-PEFT on Point-MAE, ScanObjectNN, with approximations that spare time and memory: docs/methods/point_peft.md."""
_base_ = ['../pointmae_scanobjnn.py']
model = dict(peft=dict(saved_dtype='bfloat16', methods={'0': dict(num_prior_layers=3)}))
default_hooks = dict(views=dict(type='TrainingViewsHook', num_views=4, max_mb=16384, in_file=True))
