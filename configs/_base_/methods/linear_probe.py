"""A frozen backbone and nothing else; the head is linear."""
peft = dict(type='PEFTBackbone', methods=[])
when = {
    'classification': dict(model=dict(head=dict(pool=('max', 'mean'), hidden_dims=()))),
    'few_shot and pointmae_mini': dict(optim_wrapper=dict(optimizer=dict(lr=2e-2))),  # see docs/few_shot.md
    'part_seg': dict(
        model=dict(
            head=dict(
                _delete_=True,
                type='LinearPartSegHead',
                parts_per_category='${parts_per_category}'))),
    'scene_seg': dict(
        model=dict(
            head=dict(
                _delete_=True,
                type='LinearSceneSegHead',
                num_classes='${num_classes}',
                point_channels='${point_channels}',
                class_weight='${class_weight}'))),
    'detection': dict(model=dict(backbone=dict(extra_channels=0))),  # no gradient goes through a frozen encoder
}
