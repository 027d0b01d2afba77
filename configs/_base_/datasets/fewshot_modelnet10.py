"""Few-shot folds drawn from ModelNet10, with 20 queries per class.

tools/few_shot.py sets fold, ways and shots.
"""
_base_ = 'modelnet10.py'
num_classes = 5  # ways
drawn_from = dict(type='ModelNet', data_root='data/ModelNet10', num_classes=10)
fold = dict(type='FewShot', dataset=drawn_from, num_ways=num_classes, num_shots=10, fold=0)

train_dataloader = dict(dataset=dict(_delete_=True, split='train', **fold))
test_dataloader = dict(dataset=dict(_delete_=True, split='test', **fold))

val_dataloader = None
val_evaluator = None
