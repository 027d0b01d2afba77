"""ShapeNet55 for pre-training: 1024 of 8192 points, augmented as in Point-MAE; the test list is not used."""
dataset_type = 'ShapeNet55'
data_root = 'data/ShapeNet55-34'
num_classes = 55

data_preprocessor = dict(
    type='PointDataPreprocessor',
    num_points=1024,
    num_candidates=8192,  # a random choice of all points
    augments=[dict(type='RandomScaleTranslate', scale=(2 / 3, 3 / 2), translate=0.2)])

train_dataloader = dict(
    batch_size=128,
    num_workers=2,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='pseudo_collate'),
    dataset=dict(type=dataset_type, data_root=data_root, split='trainval'))
val_dataloader = None
test_dataloader = None
val_evaluator = None
test_evaluator = None
