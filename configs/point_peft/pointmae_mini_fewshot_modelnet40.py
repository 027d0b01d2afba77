"""Point-PEFT on the mini Point-MAE, few-shot on ModelNet40, published folds."""
_base_ = [
    '../_base_/models/pointmae_mini.py', '../_base_/tuners/point_peft.py', '../_base_/datasets/fewshot_modelnet40.py',
    '../_base_/schedules/fewshot_mini.py', '../_base_/few_shot_mini_runtime.py'
]
model = dict(tuner={{_base_.tuner}}, head=dict(num_classes={{_base_.num_classes}}))
optim_wrapper = dict(optimizer=dict(lr=4e-3))  # see docs/few_shot.md
