"""Point-PEFT on the mini Point-MAE, ModelNet10, with approximations that spare time and memory: docs/methods/point_peft.md."""
_base_ = ['../pointmae_mini_modelnet10.py']
model = dict(peft=dict(saved_dtype='bfloat16', methods={'0': dict(num_prior_layers=1)}))
default_hooks = dict(views=dict(type='TrainingViewsHook', num_views=4))
