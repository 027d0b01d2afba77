"""SSF: scale and shift behind the layers of every block; class token and its position are new, so they are trained too."""
peft = dict(
    type='PEFTBackbone',
    methods=[
        dict(type='SSF'),
        dict(type='SelectiveTuning', biases=False, final_norm=False, prefix=True),
    ])
