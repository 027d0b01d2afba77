"""VPT-shallow: 10 prompt tokens from the first block on; class token and its position are new, so they are trained too."""
peft = dict(
    type='PEFTBackbone',
    methods=[
        dict(type='VPTShallow', num_tokens=10),
        dict(type='SelectiveTuning', biases=False, final_norm=False, prefix=True),
    ])
