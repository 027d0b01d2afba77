"""PPT: coarser patches as prompts, MLPs that blocks share; the embedding's first half, positions and class token are trained too."""
peft = dict(
    type='PEFTBackbone',
    methods=[
        dict(type='PPT', hidden_dim=256, group_ratio=0.5, size_ratio=2),
        dict(type='SelectiveTuning', biases=False, final_norm=False, prefix=True, embedding=True, positions=True),
    ])
when = {
    'classification': dict(model=dict(head=dict(pool=('own_prefix', 'mean', 'kept_mean')))),
    'classification and pointm2ae': dict(model=dict(head=dict(pool=('max', 'mean', 'kept_mean')))),
    'classification and (pointgpt_s or pointgpt_b or pointgpt_l)': dict(
        model=dict(head=dict(pool=('cls', 'mean', 'kept_mean')))),
    'part_seg': dict(peft=dict(methods={'0': dict(hidden_dim=128)})),
}
