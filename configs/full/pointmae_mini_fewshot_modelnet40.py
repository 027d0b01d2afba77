"""Full fine-tuning of the mini Point-MAE, few-shot on ModelNet40, published folds."""
_base_ = [
    '../_base_/models/pointmae_mini.py', '../_base_/datasets/fewshot_modelnet40.py',
    '../_base_/schedules/fewshot_mini.py', '../_base_/few_shot_mini_runtime.py'
]
model = dict(head=dict(num_classes={{_base_.num_classes}}))
