"""Loading pre-trained weights into a backbone, with a report and without silence when nothing fits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mmengine.logging import print_log
from torch import Tensor, nn

from ..io.errors import MissingFileError, UnmatchedCheckpointError
from ..io.required import NO_DOWNLOAD_CONFIG
from ..io.shipped import call_of, find_weights
from ..io.text import shorten
from ..io.weights import OWN_KEY, check_finite, load_checkpoint_file
from ..io.weights.names import rename, strip_prefix, unwrap_state_dict
from ..registry.network import check_heads

OWN_PREFIXES = ('', 'backbone.', 'backbone.backbone.')
"""Where this project's own checkpoints keep a backbone: bare, in a task model, in a tuned task model."""


COUNTERS = (r'.*\bnum_batches_tracked$',)
"""Pattern of the tensors that torch before 0.4.1 did not save, and that no result depends on."""


def load_pretrained(
    module: nn.Module,
    path: str | Path,
    *,
    prefixes: Iterable[str] = (),
    renames: Sequence[tuple[str, str]] = (),
    optional: Iterable[str] = (),
) -> list[str]:
    """Fill ``module`` from a checkpoint, which may hold more.

    The prefix is chosen by counting matches, so official files, converted files and this project's own checkpoints
    all work. The outcome is logged.

    Args:
        module (nn.Module): Network to fill.
        path (str | Path): ``.safetensors`` or ``.pth`` file; read without executing anything in it.
        prefixes (Iterable[str]): Further prefixes under which the tensors may stand.
        renames (Sequence[tuple[str, str]]): Pairs (regular expression, replacement) from published names to ours.
        optional (Iterable[str]): Regular expressions that match the beginnings of the names of tensors that the file
            may lack; they keep their initial values. So may counters of batch norms, which old files lack.

    Returns:
        list[str]: Names of the loaded tensors.

    Raises:
        MissingFileError: If ``path`` does not exist.
        UnmatchedCheckpointError: If the file is an adapter, no tensor matches by name and shape, or a tensor is
            missing or of another shape, which would leave random weights in a pre-trained network.
        OtherNetworkError: If the file says that its network has another number of attention heads.
        NonFiniteWeightsError: If a tensor has a NaN.
    """
    path = find_weights(path)
    if not path.is_file():
        raise MissingFileError(
            f'pre-trained checkpoint {path} does not exist; see docs/model_zoo.md for where to get it, or start from '
            f'{NO_DOWNLOAD_CONFIG}, whose weights are shipped.'
        )
    content = load_checkpoint_file(path)
    meta = content.get('meta') or {}
    if (meta.get(OWN_KEY) or {}).get('format') == 'delta':
        raise UnmatchedCheckpointError(
            f'{path} is an adapter, which holds only what training changed, and no pre-trained network; name the file '
            f'that it was trained on, or join both first ({call_of("model_converters/join_adapter.py")}).'
        )
    check_heads(module, meta, str(path))
    state = rename(unwrap_state_dict(content), renames)
    own = module.state_dict()
    candidates = [strip_prefix(state, prefix) for prefix in (*OWN_PREFIXES, *prefixes)]
    candidate = max(candidates, key=lambda candidate: len(_fitting(candidate, own)))
    matched = _fitting(candidate, own)
    if not matched:
        raise UnmatchedCheckpointError(
            f'no tensor of {path} fits {type(module).__name__} by name and shape; convert the file with '
            f'{call_of("model_converters/convert_official.py")} or name another checkpoint.'
        )
    missing = [name for name in own if name not in matched]
    _check_whole(
        missing, candidate, own, f'{path} fits {type(module).__name__} only in part', (*optional, *COUNTERS)
    )
    check_finite(matched, str(path))
    module.load_state_dict(matched, strict=False)
    print_log(
        f'loaded {len(matched)} of {len(own)} tensors of {type(module).__name__} from {path}; '
        f'{len(state) - len(matched)} unused in the file; kept at their initial values: {missing or "none"}',
        logger='current',
    )
    return list(matched)


def _fitting(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors that a network has by name and shape."""
    return {name: value for name, value in state.items() if name in own and value.shape == own[name].shape}


def _check_whole(
    missing: Sequence[str],
    state: Mapping[str, Tensor],
    own: Mapping[str, Tensor],
    problem: str,
    optional: Sequence[str],
) -> None:
    """Refuse a file that leaves tensors of the network at random values."""
    other = [name for name in missing if name in state]
    absent = [name for name in missing if name not in state and not re.match('|'.join(optional), name)]
    if other:
        given, wanted = tuple(state[other[0]].shape), tuple(own[other[0]].shape)
        raise UnmatchedCheckpointError(
            f'{problem}: {shorten(other)} of another shape ({given} in the file, {wanted} in the network); name '
            'weights of this backbone, or give model.backbone the sizes of the file.'
        )
    if absent:
        raise UnmatchedCheckpointError(
            f'{problem}: it lacks {shorten(absent)}, which would stay at random values; name weights of this '
            'backbone, or give model.backbone the sizes of the file.'
        )
