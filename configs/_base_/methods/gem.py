"""Geometric encoding mixer, after GEM (NeurIPS 2025): local positions by a light convolution, context by latent tokens."""
peft = dict(
    type='PEFTBackbone',
    methods=[
        dict(type='GeometricEncodingMixer', hidden_dim=16, num_neighbors=8, num_latents=4),
        dict(type='SelectiveTuning', biases=False, final_norm=False, prefix=True),
    ])
