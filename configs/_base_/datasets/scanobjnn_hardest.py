"""ScanObjectNN PB_T50_RS, augmented as in the released Point-PEFT, with one rotation per object."""
dataset_type = 'ScanObjectNN'
data_root = 'data/ScanObjectNN'
num_classes = 15

data_preprocessor = dict(
    type='PointDataPreprocessor',
    num_points=2048,
    augments=[
        dict(type='ShufflePoints'),
        dict(type='RandomScale', scale=(0.9, 1.1)),
        dict(type='RandomRotate', axis='y')])

train_dataloader = dict(
    batch_size=32,
    num_workers=0,  # the clouds are in memory and augmented on the training device
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='pseudo_collate'),
    dataset=dict(type=dataset_type, data_root=data_root, variant='pb_t50_rs', split='train'))
val_dataloader = dict(
    batch_size=64,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='pseudo_collate'),
    dataset=dict(type=dataset_type, data_root=data_root, variant='pb_t50_rs', split='val'))
test_dataloader = dict(
    batch_size=64,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='pseudo_collate'),
    dataset=dict(type=dataset_type, data_root=data_root, variant='pb_t50_rs', split='test'))

val_evaluator = dict(type='ClassificationAccuracy')
test_evaluator = dict(type='ClassificationAccuracy')
