"""The published folds of ModelNet40 few-shot, 1024 points chosen from 1200.

tools/few_shot.py sets fold, ways and shots.
"""
_base_ = 'modelnet40.py'
data_root = 'data/ModelNetFewshot'
num_classes = 5  # ways
fold = dict(type='FewShotModelNet40', data_root=data_root, num_ways=num_classes, num_shots=10, fold=0)

train_dataloader = dict(dataset=dict(_delete_=True, split='train', **fold))
test_dataloader = dict(dataset=dict(_delete_=True, split='test', **fold))

val_dataloader = None
val_evaluator = None
