"""Pre-training is probed every five epochs on scans of the built-in shapes, so that a collapse is seen at once."""
custom_hooks = [
    dict(
        type='ProbeHook',
        interval=5,
        train=dict(type='ProceduralShapes', num_samples=480, scan=True),
        test=dict(type='ProceduralShapes', num_samples=320, scan=True, split='val'))
]
