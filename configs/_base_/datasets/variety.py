"""Procedural objects of 67 classes, new ones in every epoch, and a collection of real meshes; z up.

``data_root`` is an h5 file or a folder of your own meshes (docs/pretraining.md).
"""
num_classes = 67
num_parts = 217
num_words = 256
data_root = 'data/free_meshes.h5'

data_preprocessor = dict(
    type='PointDataPreprocessor',
    num_points=1024,
    augments=[
        dict(type='RandomRotate', axis='z'),
        dict(type='RandomScaleTranslate', scale=(0.85, 1.18), translate=0.05, isotropic=True),
        dict(type='RandomJitter', sigma=0.005, clip=0.02),
        dict(type='RandomUpAxis', source='z', target='y', probability=0.4),
    ])

train_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='pseudo_collate'),
    dataset=dict(
        type='EvenlySpread',
        num_points=1024,
        share=0.6,
        dataset=dict(
            type='JoinedDatasets',
            datasets=[
                dict(
                    type='ProceduralVariety',
                    num_samples=8000,
                    num_points=2048,
                    scan_share=0.15,
                    up='z',
                    # what indoor data sets are about
                    favoured=('appliance', 'armchair', 'bathtub', 'bed', 'bench', 'bookshelf', 'cabinet', 'chair', 'desk',
                              'dresser', 'lamp', 'monitor', 'night_stand', 'person', 'potted_plant', 'sofa', 'stool',
                              'table', 'toilet', 'wardrobe', 'washbasin', 'window')),
                dict(
                    type='PointCollection',
                    data_root=data_root,
                    num_points=2048,
                    licence_classes=(0, ),
                    num_words=num_words,
                    up='z'),
            ])))

val_dataloader = None
test_dataloader = None
val_evaluator = None
test_evaluator = None
