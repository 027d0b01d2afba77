"""PointGST (TPAMI 2025), constants of the published code; class token and its position are new, so they are trained too."""
peft = dict(
    type='PEFTBackbone',
    methods=[
        dict(type='PointGST', rank=36, num_parts=4),
        dict(type='SelectiveTuning', biases=False, final_norm=False, prefix=True),
    ])
