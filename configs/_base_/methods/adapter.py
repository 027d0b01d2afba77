"""Bottleneck adapters of dimension 64 behind the feed-forward layers; class token and its position are trained too."""
peft = dict(
    type='PEFTBackbone',
    methods=[
        dict(type='BottleneckAdapter', dim=64, at='mlp', scale=1.0, dropout=0.0, activation='gelu'),
        dict(type='SelectiveTuning', biases=False, final_norm=False, prefix=True),
    ])
