"""Bottleneck adapters beside the feed-forward layers, constants of AdaptFormer; class token and position are trained too."""
peft = dict(
    type='PEFTBackbone',
    methods=[
        dict(
            type='BottleneckAdapter',
            dim=64,
            at='mlp',
            parallel=True,
            scale=0.1,
            dropout=0.1,
            activation='relu'),
        dict(type='SelectiveTuning', biases=False, final_norm=False, prefix=True),
    ])
