"""Building the memory bank, and its file with where it came from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import collect_results, get_dist_info
from mmengine.logging import print_log
from mmengine.model import BaseModel
from torch import Tensor, nn
from torch.utils.data import Dataset

from ..datasets import unrepeated
from ..tuners import MemoryBank, PEFTBackbone, PointPriorPrompt
from .checkpoint import BaseFingerprint, load_checkpoint_file, outermost_with, save_checkpoint
from .errors import CheckpointError

NORMALIZATION = 'l2'
"""Keys have unit length, so similarity is a cosine; see :class:`MemoryBank` for the reasons."""


class MemoryBankMismatchError(CheckpointError):
    """A memory bank was built from something else than the run needs."""


@dataclass(frozen=True)
class BankProvenance:
    """What a memory bank was made from.

    Attributes:
        base_hash (str): Hash of the pre-trained weights that computed the features.
        dim (int): Feature dimension C.
        num_prior_groups (int): Groups per cloud that the features saw.
        dataset (str): Class of the dataset.
        split (str): Its split.
        num_samples (int): Number of clouds.
        normalization (str): Normalisation of the keys.
        few_shot (str): Ways, shots and fold, and what the fold was drawn from; empty for other datasets.
    """

    base_hash: str
    dim: int
    num_prior_groups: int
    dataset: str
    split: str
    num_samples: int
    normalization: str = NORMALIZATION
    few_shot: str = ''


def find_prompt(model: nn.Module) -> tuple[PEFTBackbone, PointPriorPrompt] | None:
    """The tuned backbone and its Point-prior Prompt; None if the model has no memory bank."""
    for wrapper in model.modules():
        if isinstance(wrapper, PEFTBackbone):
            for tuner in wrapper.tuners:
                if isinstance(tuner, PointPriorPrompt):
                    return wrapper, tuner
    return None


def expected_provenance(model: nn.Module, dataset: Dataset | None = None) -> BankProvenance:
    """What a bank for this model, and this training set if given, must have been made from.

    Raises:
        ValueError: If the model has no memory bank.
    """
    wrapper, prompt = _require_prompt(model)
    clouds = unrepeated(dataset)
    return BankProvenance(
        base_hash=BaseFingerprint.of(wrapper.pretrained_state()).hash or '',
        dim=prompt.bank.dim,
        num_prior_groups=min(
            prompt.num_prior_groups or wrapper.backbone.num_groups, wrapper.backbone.num_groups
        ),
        dataset=type(clouds).__name__ if dataset is not None else '',
        split=str(getattr(clouds, 'split', '')),
        num_samples=len(dataset) if dataset is not None else 0,  # type: ignore[arg-type]
        few_shot=_describe_fold(dataset),
    )


def bank_dataset(model: nn.Module, dataset: Any) -> Any:
    """The dataset that an epoch repeats, so that the bank holds every cloud once; unless that were too few.

    Args:
        model (nn.Module): Task model with a Point-prior Prompt.
        dataset (Dataset): The training set, perhaps a ``RepeatDataset``.
    """
    _, prompt = _require_prompt(model)
    clouds = unrepeated(dataset)
    return clouds if len(clouds) >= prompt.num_retrieved else dataset


@torch.no_grad()
def build_bank(model: BaseModel, dataset: Dataset, *, batch_size: int = 64) -> BankProvenance:
    """Fill the model's memory bank from a dataset, without augmentation; several processes share the work.

    Args:
        model (nn.Module): Task model with a Point-prior Prompt and its base weights loaded.
        dataset (Dataset): The training clouds.
        batch_size (int): Clouds per step.
    """
    wrapper, prompt = _require_prompt(model)
    ((_, owner),) = outermost_with(model, 'backbone_points')
    rank, world_size = get_dist_info()
    size = len(dataset)  # type: ignore[arg-type]
    per_process = -(-size // world_size)
    mine = [index % size for index in range(rank, per_process * world_size, world_size)]
    was_training = model.training
    model.eval()
    parts = []
    for batch in _track([mine[i : i + batch_size] for i in range(0, len(mine), batch_size)]):
        samples = [dataset[index] for index in batch]
        points = [sample['inputs']['points'] for sample in samples]
        data = model.data_preprocessor(dict(inputs=dict(points=points), data_samples=None), False)
        tokens = wrapper.backbone.embed(owner.backbone_points(data['inputs']))
        parts += list(wrapper.pretrained_summary(prompt.prior_tokens(tokens)).cpu())
    model.train(was_training)
    rows = collect_results(parts, size, device='cpu')  # rank 0 gets them in the order of the dataset
    prompt.bank.fill(_from_rank_0(rows).to(prompt.bank.keys.device))
    return expected_provenance(model, dataset)


def save_bank(path: str | Path, bank: MemoryBank, provenance: BankProvenance) -> None:
    """Write the bank as safetensors, atomically, with its provenance in the metadata."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    save_checkpoint(
        path, {'keys': bank.keys.cpu()}, {'provenance': asdict(provenance), 'hash': bank.content_hash()}
    )


def load_bank(path: str | Path, bank: MemoryBank, expected: BankProvenance) -> BankProvenance:
    """Read a bank file into ``bank``, if it was made for this.

    Fields that are unknown in ``expected`` (empty or 0) are not compared.

    Raises:
        MemoryBankMismatchError: If it belongs to another backbone, dimension, dataset or split.
        CheckpointError: If the file is no memory bank.
    """
    content = load_checkpoint_file(path)
    found = (content.get('meta') or {}).get('provenance')
    keys = (content.get('state_dict') or {}).get('keys')
    if found is None or keys is None:
        raise CheckpointError(
            f'{path} is not a memory bank of this project; build one with tools/build_memory_bank.py, '
            'or convert a published one with tools/model_converters/convert_official.py.'
        )
    for name, wanted in asdict(expected).items():
        if wanted and found.get(name) != wanted:
            raise MemoryBankMismatchError(
                f'memory bank {path} was made with {name}={found.get(name)!r}, but this run needs {wanted!r}; delete '
                'the file to have it rebuilt, or name the right one in default_hooks.memory_bank.file.'
            )
    bank.fill(keys)
    bank.keys = keys.to(bank.keys)  # normalising again would move the last bits, and with them the hash
    return BankProvenance(**found)


def attach_bank(
    model: nn.Module, candidates: Sequence[str | Path], *, wanted_hash: str | None = None
) -> Path | None:
    """Load the first of some bank files that exists, for evaluation.

    Args:
        model (nn.Module): Task model.
        candidates (Sequence[str | Path]): Files to try, best first.
        wanted_hash (str | None): Hash of the bank that the adapter was trained with.

    Returns:
        Path | None: The file, or None if the model needs none.

    Raises:
        CheckpointError: If an adapter that was trained with a bank finds none.
    """
    found = find_prompt(model)
    if found is None or len(found[1].bank):
        return None
    for path in map(Path, candidates):
        if path.is_file():
            load_bank(path, found[1].bank, expected_provenance(model))
            return path
    if wanted_hash:
        raise CheckpointError(
            f'the adapter was trained with memory bank {wanted_hash}, which is in none of '
            f'{[str(c) for c in candidates]}; put its file there, or build it with tools/build_memory_bank.py.'
        )
    return None


def _describe_fold(dataset: Dataset | None) -> str:
    """What tells a fold of a few-shot dataset from others with as many clouds; empty for other datasets."""
    metainfo = getattr(dataset, 'metainfo', None) or {}
    fold = metainfo.get('few_shot')
    if not fold:
        return ''
    seed = getattr(dataset, 'seed', None)  # only folds that are drawn here have one
    return (
        f'{fold["num_ways"]}-way {fold["num_shots"]}-shot, fold {fold["fold"]} of {metainfo.get("dataset", "")}'
        + ('' if seed is None else f', seed {seed}')
    )


def _require_prompt(model: nn.Module) -> tuple[PEFTBackbone, PointPriorPrompt]:
    found = find_prompt(model)
    if found is None:
        raise ValueError(
            'the model has no Point-prior Prompt, so there is no memory bank to build; use a point_peft config.'
        )
    return found


def _from_rank_0(rows: list[Tensor] | None) -> Tensor:
    """Stack on rank 0 and send to the others."""
    from mmengine.dist import broadcast_object_list

    box: list[Any] = [torch.stack(rows) if rows is not None else None]
    broadcast_object_list(box)
    return box[0]


def _track(batches: Sequence[list[int]]) -> Iterator[list[int]]:
    """Show progress on the main process."""
    from rich.progress import track

    rank, _ = get_dist_info()
    print_log(f'building the memory bank from {sum(map(len, batches))} clouds per process', logger='current')
    yield from track(batches, description='memory bank', disable=rank != 0)
