"""Full fine-tuning of Point-BERT, few-shot on ModelNet40, published folds."""
_base_ = [
    '../_base_/models/pointbert.py', '../_base_/datasets/fewshot_modelnet40.py',
    '../_base_/schedules/fewshot_150e.py', '../_base_/few_shot_runtime.py'
]
model = dict(head=dict(num_classes={{_base_.num_classes}}))
