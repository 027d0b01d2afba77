"""VPT-deep: 10 prompt tokens in every block; class token and its position are new, so they are trained too."""
peft = dict(
    type='PEFTBackbone',
    methods=[
        dict(type='VPTDeep', num_tokens=10),
        dict(type='SelectiveTuning', biases=False, final_norm=False, prefix=True),
    ])
