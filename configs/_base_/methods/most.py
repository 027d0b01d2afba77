"""MoST (CVPR 2025): Point Monarch matrices beside all attentions; classifiers join the features of three blocks."""
peft = dict(
    type='PEFTBackbone',
    methods=[
        dict(type='MoST', num_blocks=8, num_neighbors=4),
        dict(type='SelectiveTuning', biases=False, final_norm=False, prefix=True),
    ])
when = {'classification': dict(peft=dict(methods={'0': dict(num_fused=3)}))}
