"""Point-PEFT (AAAI 2024), constants of the release; `paper` mode."""
peft = dict(
    type='PEFTBackbone',
    methods=[
        dict(type='PointPriorPrompt', num_tokens=10, hidden_dim=8, num_prior_groups=64),
        dict(type='BottleneckAdapter', dim=16, at='mlp', scale=0.7),
        dict(type='GeometryAwareAdapter', center_ratio=0.5, num_neighbors=16),
        dict(type='SelectiveTuning', biases=True, final_norm=True, prefix=True),
    ])
when = {
    # Point-BERT has 64 groups; the query sees half of them, as it does of Point-MAE's 128.
    'pointbert and classification': dict(peft=dict(methods={'0': dict(num_prior_groups=32)})),
    # As released: prompts in every block of every stage.
    'pointm2ae': dict(
        peft=dict(
            methods={
                '0': dict(num_tokens=16, layers='all', num_prior_groups=None),
                '2': dict(center_scale=0.3, propagation_scale=0.2),
            })),
    'few_shot and pointmae_mini': dict(optim_wrapper=dict(optimizer=dict(lr=4e-3))),  # see docs/few_shot.md
}
