"""Few-shot folds drawn from the built-in shapes, with 20 queries per class.

tools/few_shot.py sets fold, ways and shots.
"""
_base_ = 'shapes.py'
num_classes = 5  # ways
drawn_from = dict(type='ProceduralShapes', num_samples=640)  # 40 of every class
fold = dict(type='FewShot', dataset=drawn_from, num_ways=num_classes, num_shots=10, fold=0)

train_dataloader = dict(dataset=dict(_delete_=True, split='train', **fold))
test_dataloader = dict(dataset=dict(_delete_=True, split='test', **fold))

val_dataloader = None
val_evaluator = None
