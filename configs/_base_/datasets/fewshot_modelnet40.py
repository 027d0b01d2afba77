"""The published folds of ModelNet40 few-shot, 1024 points chosen from 1200.

tools/few_shot.py sets fold, ways and shots.
"""
_base_ = 'modelnet40.py'
dataset_type = 'FewShotModelNet40'
data_root = 'data/ModelNetFewshot'
num_classes = 5  # ways

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type=dataset_type,
        data_root=data_root,
        num_ways=num_classes,
        num_shots=10,
        fold=0,
        split='train'))
test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type=dataset_type,
        data_root=data_root,
        num_ways=num_classes,
        num_shots=10,
        fold=0,
        split='test'))

val_dataloader = None
val_evaluator = None
