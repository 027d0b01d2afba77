"""Point-PEFT for Point-BERT, which has 64 groups: the query sees half of them, as it does of Point-MAE's 128."""
tuner = dict(
    type='PEFTBackbone',
    hooks=[
        dict(type='PointPriorPrompt', num_tokens=10, hidden_dim=8, num_prior_groups=32),
        dict(type='BottleneckAdapter', dim=16, at='mlp', scale=0.7),
        dict(type='GeometryAwareAdapter', center_ratio=0.5, num_neighbors=16),
        dict(type='SelectiveTuning', biases=True, final_norm=True, prefix=True),
    ])
