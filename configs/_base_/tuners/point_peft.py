"""Point-PEFT (AAAI 2024), constants of the release; `paper` mode."""
tuner = dict(
    type='PEFTBackbone',
    hooks=[
        dict(type='PointPriorPrompt', num_tokens=10, hidden_dim=8, num_prior_groups=64),
        dict(type='BottleneckAdapter', dim=16, at='mlp', scale=0.7),
        dict(type='GeometryAwareAdapter', center_ratio=0.5, num_neighbors=16),
        dict(type='SelectiveTuning', biases=True, final_norm=True, prefix=True),
    ])
