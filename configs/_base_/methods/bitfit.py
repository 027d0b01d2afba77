"""BitFit: the biases inside the blocks; class token and its position are new, so they are trained too."""
peft = dict(
    type='PEFTBackbone',
    methods=[
        dict(type='SelectiveTuning', biases=True, final_norm=False, prefix=True),
    ])
