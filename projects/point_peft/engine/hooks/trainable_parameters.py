"""Hook that says how many parameters are trained."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from ...registry import HOOKS
from ...registry.wrappers import unwrap


@HOOKS.register_module()
class TrainableParametersHook(Hook):
    """Logs the number of trainable parameters before training, in the words of Hugging Face PEFT."""

    def before_train(self, runner: Runner) -> None:
        """Log the line, and leave the numbers in the message hub for summaries."""
        trainable, total = count_parameters(runner.model)
        runner.logger.info(format_trainable(trainable, total))
        runner.message_hub.update_info_dict(
            dict(trainable_parameters=trainable, all_parameters=total), resumed=False
        )


def count_parameters(model: nn.Module) -> tuple[int, int]:
    """Number of trainable and of all parameters, shared ones counted once."""
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in unwrap(model).parameters()]
    return sum(size for size, trained in sizes if trained), sum(size for size, _ in sizes)


def format_trainable(trainable: int, total: int) -> str:
    """``trainable params: 1,234 || all params: 5,678 || trainable%: 21.7330``."""
    share = 100 * trainable / total
    return f'trainable params: {trainable:,d} || all params: {total:,d} || trainable%: {share:.4f}'
