"""GFT (WACV 2026): 50 prompts and attention to graph features; class token and half of the patch embedding are trained too."""
peft = dict(
    type='PEFTBackbone',
    methods=[
        dict(type='GFT', num_tokens=50, num_neighbors=20, edge_dims=(64, 64, 64, 64), graph_dim=256, attn_dim=32),
        dict(type='SelectiveTuning', biases=False, final_norm=False, prefix=True, embedding=True),
    ])
when = {
    'classification': dict(model=dict(head=dict(pool=('own_prefix', 'kept_mean', 'max')))),
    'classification and pointm2ae': dict(model=dict(head=dict(pool=('kept_mean', 'mean', 'max')))),
    'classification and (pointgpt_s or pointgpt_b or pointgpt_l)': dict(
        model=dict(head=dict(pool=('cls', 'kept_mean', 'max')))),
}
