"""Hook that makes checkpoints small, safe to load and tied to their base weights."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...io.weights import HASHES_KEY, OWN_KEY, from_plain, section_hashes, to_plain
from ...methods import fitted_methods
from ...registry import HOOKS
from ...registry.network import note_config
from ...registry.wrappers import unwrap
from ..checkpoint import (
    adapter_state,
    base_fingerprint,
    checkpoint_sizes,
    complete_state,
    describe_checkpoint,
    log_report,
)
from ..checkpoint.message_hub import reduce_message_hub
from ..checkpoint.resuming import check_resumable
from ..fitting import check_ready


@HOOKS.register_module()
class DeltaCheckpointHook(Hook):
    """Saves what training changed, plus the hash of the base weights, in plain types; loads it back.

    On saving, ``state_dict`` keeps the tensors that are not, bit for bit, in the pre-trained file; what
    methods fit before training has files of its own and is left out. A file that leaves out nothing is a complete
    one. On loading, the base hash is compared, the base weights fill the rest, and one line says what came from
    where. See the functions in ``engine/checkpoint`` for the format and the errors.

    Args:
        full (bool): Write complete files, base weights and what was fitted included.
        allow_other_base (bool): Only warn when an adapter was trained on other base weights.
        allow_other_network (bool): Only warn when a checkpoint was saved by a network that computes something else, or
            has other tensors than the model.
    """

    priority = 'VERY_LOW'

    def __init__(
        self, full: bool = False, allow_other_base: bool = False, allow_other_network: bool = False
    ) -> None:
        self.full = full
        self.allow_other_base = allow_other_base
        self.allow_other_network = allow_other_network

    def before_run(self, runner: Runner) -> None:
        """Note what the model was built from."""
        note_config(runner.model, runner.cfg)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Restore objects, check the base weights and complete an adapter, before MMEngine loads it.

        In training this runs after ``init_weights``; for a test it loads the base weights itself if the
        checkpoint needs them.
        """
        source = _source(runner)
        if runner._resume:
            check_resumable(checkpoint, runner.optim_wrapper, source)
        for key in [key for key in checkpoint if key not in ('state_dict', 'optimizer')]:
            checkpoint[key] = from_plain(checkpoint[key])
        meta = checkpoint.get('meta') or {}
        # Files of others may be bare state dicts; MMEngine looks under this key first.
        state = checkpoint.get('state_dict', checkpoint)
        checkpoint['state_dict'], report = complete_state(
            runner.model,
            state,
            meta,
            source=source,
            is_start=runner._train_loop is not None and not runner._resume,
            allow_other_base=self.allow_other_base,
            allow_other_network=self.allow_other_network,
        )
        log_report(report)

    def before_train(self, runner: Runner) -> None:
        """Note what the base weights are, at the latest before the first step."""
        base_fingerprint(runner.model)
        check_ready(unwrap(runner.model))

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Reduce the checkpoint to the adapter and to plain types, and hash it.

        What a hook of later priority changes is refused at loading, since the hashes would not be true any more.
        """
        model = unwrap(runner.model)
        state = checkpoint['state_dict']
        if not self.full:
            checkpoint['state_dict'] = adapter_state(model, state)
        # Where training changed everything, nothing is left to the pre-trained file.
        is_full = checkpoint['state_dict'].keys() == state.keys()
        checkpoint['meta'][OWN_KEY] = describe_checkpoint(model, 'full' if is_full else 'delta')
        if 'message_hub' in checkpoint:
            checkpoint['message_hub'] = reduce_message_hub(
                checkpoint['message_hub'], with_curves='optimizer' in checkpoint
            )
        for key in [key for key in checkpoint if key != 'state_dict']:
            checkpoint[key] = to_plain(checkpoint[key], key)
        checkpoint[HASHES_KEY] = section_hashes(checkpoint)

    def after_train(self, runner: Runner) -> None:
        """Log how large the adapter, what was fitted and the complete model are."""
        sizes = checkpoint_sizes(runner.model)
        names = [method.fitted_name for method in fitted_methods(unwrap(runner.model)).values()]
        fitted = f'{" and ".join(names)} {sizes.fitted:.2f} MB, ' if names else ''
        runner.logger.info(
            f'sizes without optimizer state: adapter {sizes.adapter:.2f} MB, {fitted}complete model '
            f'{sizes.full:.2f} MB'
        )
        for name, size in sizes._asdict().items():
            runner.message_hub.update_info(f'{name}_mb', size, resumed=False)


def _source(runner: Runner) -> str:
    """Name of the checkpoint that the runner loads, for messages."""
    return str(runner._load_from or 'the checkpoint')
