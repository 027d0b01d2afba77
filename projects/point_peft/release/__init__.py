"""What the released Point-PEFT checkpoints compute, quirks included; nothing else imports this package.

Configs under ``configs/point_peft/release/`` bring it in with ``custom_imports``.
"""

from .point_mae import ReleasePointPEFT

__all__ = ['ReleasePointPEFT']
