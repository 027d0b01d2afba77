"""Point-PEFT on Point-M2AE, constants of the release: prompts in every block of every stage; `paper` mode."""
tuner = dict(
    type='PEFTBackbone',
    hooks=[
        dict(type='PointPriorPrompt', num_tokens=16, layers='all', hidden_dim=8, num_prior_groups=None),
        dict(type='BottleneckAdapter', dim=16, at='mlp', scale=0.7),
        dict(type='GeometryAwareAdapter', center_ratio=0.5, num_neighbors=16, center_scale=0.3, propagation_scale=0.2),
        dict(type='SelectiveTuning', biases=True, final_norm=True, prefix=True),
    ])
