"""What a checkpoint keeps of a run's message hub."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def reduce_message_hub(message_hub: Mapping[str, Any], *, with_curves: bool) -> dict[str, Any]:
    """A message hub's state without what need not be saved.

    Args:
        message_hub (Mapping): ``MessageHub.state_dict()``.
        with_curves (bool): Keep the curves of the whole run; only a file that is resumed from needs them.

    Returns:
        dict: The state, with ``resumed_keys`` only for what is in it (MMEngine warns about others).
    """
    scalars = dict(message_hub['log_scalars']) if with_curves else {}
    info = dict(message_hub['runtime_info'])
    resumed = {
        key: value for key, value in message_hub['resumed_keys'].items() if key in scalars or key in info
    }
    return dict(log_scalars=scalars, runtime_info=info, resumed_keys=resumed)
