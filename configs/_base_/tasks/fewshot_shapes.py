"""Few-shot classification, folds of the built-in shapes; a child's num_classes is the number of ways."""
_base_ = ['../models/few_shot_classifier.py', '../datasets/fewshot_shapes.py', '../schedules/fewshot_150e.py']
train_dataloader = dict(dataset=dict(num_ways='${num_classes}'))
test_dataloader = dict(dataset=dict(num_ways='${num_classes}'))
