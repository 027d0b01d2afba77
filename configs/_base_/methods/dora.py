"""DoRA of rank 8 on attention and feed-forward layers; class token and its position are new, so they are trained too."""
peft = dict(
    type='PEFTBackbone',
    methods=[
        dict(type='DoRA', rank=8, alpha=32, targets=['attn.qkv', 'mlp.fc1', 'mlp.fc2']),
        dict(type='SelectiveTuning', biases=False, final_norm=False, prefix=True),
    ])
