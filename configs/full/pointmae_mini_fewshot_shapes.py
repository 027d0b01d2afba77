"""Full fine-tuning of the mini Point-MAE, few-shot on the built-in shapes."""
_base_ = [
    '../_base_/models/pointmae_mini.py', '../_base_/datasets/fewshot_shapes.py',
    '../_base_/schedules/fewshot_mini.py', '../_base_/few_shot_mini_runtime.py'
]
model = dict(head=dict(num_classes={{_base_.num_classes}}))
