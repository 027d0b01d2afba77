"""What the Point-prior Prompt retrieves for a cloud: the nearest rows of its memory bank, and whose they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.config import Config
from mmengine.model import BaseModel
from torch import nn

from ..engine.fitting import expected_provenance, fitting_set
from ..io.errors import DatasetError, PointPEFTError
from ..io.text import printable, printable_lines
from ..io.weights import OWN_KEY
from ..methods import PointPriorPrompt, fitted_methods
from ..methods.memory_bank import Retrieval
from ..registry import DATASETS
from ..visualization.scenes import source_name
from .thumbnails import thumbnail


class Neighbors:
    """Notes what a model's memory bank is asked for, and tells which clouds were found.

    Which cloud a row is of is known only where the training data are at hand: their fingerprint must be that of the
    clouds that the bank was made from. Otherwise rows have numbers and nothing else.

    Args:
        model (BaseModel): Task model.
        method (PointPriorPrompt): The method in it, whose bank is filled.
        cfg (Config): Config of its training.
        noted (Mapping): ``meta`` of its checkpoint, which has the bank's origin if the bank is in it.

    Attributes:
        note (str): Why rows have no names; empty where they have.
    """

    def __init__(
        self, model: BaseModel, method: PointPriorPrompt, cfg: Config, noted: Mapping[str, Any]
    ) -> None:
        self.rows = len(method.bank)
        self.found: Retrieval | None = None
        method.bank.register_forward_hook(self._keep)
        self.dataset: Any = None
        self.note = ''
        try:
            self.dataset = _clouds_of(model, method, cfg, noted)
        except (PointPEFTError, OSError) as error:
            self.note = f'Rows have numbers only: {printable_lines(error)}'

    @classmethod
    def of(cls, model: BaseModel, cfg: Config, noted: Mapping[str, Any]) -> Neighbors | None:
        """For a model; None if it retrieves nothing. Arguments as of the class."""
        methods = fitted_methods(model).values()
        filled = [one for one in methods if isinstance(one, PointPriorPrompt) and len(one.bank)]
        return cls(model, filled[0], cfg, noted) if filled else None

    def describe(self) -> list[dict[str, Any]]:
        """What the last cloud retrieved, nearest first.

        Returns:
            list[dict]: ``row`` and ``similarity`` (a cosine) of each; where the data are at hand also ``name``,
            ``source`` and ``picture``, see :func:`~.thumbnails.thumbnail`.
        """
        if self.found is None:
            return []
        index, similarity = self.found.index[0].tolist(), self.found.similarity[0].tolist()
        return [
            dict(row=row, similarity=round(value, 3), **self._cloud(row))
            for row, value in zip(index, similarity)
        ]

    def _keep(self, bank: nn.Module, args: Any, found: Retrieval) -> None:
        """Note what the bank gave."""
        self.found = found

    def _cloud(self, row: int) -> dict[str, Any]:
        """Name and picture of the cloud of a row."""
        if self.dataset is None:
            return {}
        item = self.dataset[row]
        sample = item['data_samples']
        meta: Mapping[str, Any] = getattr(self.dataset, 'metainfo', None) or {}
        classes, label = meta.get('classes') or (), int(sample.get('gt_label', sample.get('category', -1)))
        points = item['inputs']['points'][:, :3].numpy()
        return dict(
            name=printable(classes[label]) if 0 <= label < len(classes) else '',
            source=printable(source_name(sample)),
            picture=thumbnail(points),
        )


def _clouds_of(model: BaseModel, method: PointPriorPrompt, cfg: Config, noted: Mapping[str, Any]) -> Any:
    """The data set whose items are the rows of a bank.

    Raises:
        PointPEFTError: It is not at hand, or is not the one that the bank was made from.
    """
    given = (cfg.get('train_dataloader') or {}).get('dataset')
    origin = method.fitted_on or (noted.get(OWN_KEY) or {}).get(method.fitted_key) or {}
    made_from = origin.get('clouds')
    if given is None or not made_from:
        raise DatasetError('nothing says which clouds the memory bank was made from.')
    dataset = fitting_set(method, DATASETS.build(given))
    if len(dataset) != len(method.bank) or expected_provenance(model, method, dataset)['clouds'] != made_from:
        raise DatasetError('the training data at hand are not those that the memory bank was made from.')
    return dataset
