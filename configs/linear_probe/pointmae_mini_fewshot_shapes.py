"""Linear probing of the mini Point-MAE, few-shot on the built-in shapes."""
_base_ = [
    '../_base_/models/pointmae_mini.py', '../_base_/tuners/linear_probe.py', '../_base_/datasets/fewshot_shapes.py',
    '../_base_/schedules/fewshot_mini.py', '../_base_/few_shot_mini_runtime.py'
]
model = dict(
    tuner={{_base_.tuner}},
    head=dict(pool=('max', 'mean'), hidden_dims=(), num_classes={{_base_.num_classes}}))
optim_wrapper = dict(optimizer=dict(lr=2e-2))  # see docs/few_shot.md
