"""The model of the demo: what it is, and what it says of a cloud, as data for the page."""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from ..apis import Inferencer
from ..apis.answers import Answer, class_names
from ..apis.pictures import shown
from ..apis.scenes import ScenePreparation
from ..datasets.readers import SUFFIXES
from ..io.errors import ConfigError, InvalidValueError, PointPEFTError
from ..io.text import printable
from ..io.weights import load_checkpoint_file
from ..models import PartSegmentor
from ..procedural.shapes import CLASSES
from ..visualization.page_data import describe_cloud
from .examples import example, example_names
from .neighbors import Neighbors
from .thumbnails import thumbnail


class DemoModel:
    """A model that answers one cloud at a time.

    Args:
        checkpoint (str): Checkpoint of a training, which has its config in it.
        device (str): Where to run it.

    Raises:
        PointPEFTError: The checkpoint cannot be used, or its model is for rooms.
    """

    def __init__(self, checkpoint: str, *, device: str = 'cpu') -> None:
        self.checkpoint = checkpoint
        self.inferencer = Inferencer(checkpoint, device=device)
        if isinstance(self.inferencer.preparation, ScenePreparation):
            raise ConfigError(
                f'{printable(checkpoint)} is of a model for rooms; the demo is for the classes and the parts of single '
                'objects.'
            )
        self.segments = isinstance(self.inferencer.model, PartSegmentor)
        noted = load_checkpoint_file(checkpoint).get('meta') or {}
        self.neighbors = Neighbors.of(self.inferencer.model, self.inferencer.cfg, noted)
        self.busy = Lock()  # the page may ask again before it has its answer

    def describe(self) -> dict[str, Any]:
        """What the page says of the model, and the examples that it offers.

        Returns:
            dict: ``name``; ``task``, which is ``classes`` or ``parts``; ``categories``, empty unless the model has to
            be told what an object is; ``suffixes`` of files; ``neighbors``, the rows of its memory bank or 0;
            ``note`` on them; ``examples`` with name and picture.
        """
        return dict(
            name=printable(Path(self.checkpoint).name),
            task='parts' if self.segments else 'classes',
            categories=self._categories(),
            suffixes=list(SUFFIXES),
            neighbors=self.neighbors.rows if self.neighbors else 0,
            note=self.neighbors.note if self.neighbors else '',
            examples=[
                dict(name=name, picture=thumbnail(example(index)))
                for index, name in enumerate(example_names())
            ],
        )

    def predict_file(self, path: Path, category: str | None) -> dict[str, Any]:
        """What the model says of a file; see :meth:`_predict`."""
        return self._predict(path, path.name, category)

    def predict_example(self, index: int, category: str | None) -> dict[str, Any]:
        """What the model says of an example; its category is known to a model that has it.

        Raises:
            InvalidValueError: There is no such example.
        """
        if not 0 <= index < len(example_names()):
            raise InvalidValueError(
                f'there is no example {index}; there are those from 0 to {len(example_names()) - 1}.'
            )
        if self.segments and not category and CLASSES[index] in self._categories():
            category = CLASSES[index]
        return self._predict(example(index), f'{example_names()[index]} (example)', category)

    def _predict(self, cloud: Path | np.ndarray, name: str, category: str | None) -> dict[str, Any]:
        """What the model says of a cloud.

        Returns:
            dict: ``cloud`` for the page's drawing, see :func:`~point_peft.visualization.page_data.describe_cloud`;
            ``name``; ``category`` that was told; ``classes`` with the probability of each, best first, empty for parts;
            ``neighbors``, see :meth:`~.neighbors.Neighbors.describe`.

        Raises:
            PointPEFTError: The cloud cannot be used; without the place where it was kept in the meantime.
        """
        given = (category or self._categories()[0]) if self.segments else None
        with self.busy:
            try:
                (answer,) = self.inferencer.answers([cloud], category=given, batch_size=1)
            except (PointPEFTError, OSError) as error:
                raise PointPEFTError(_without_folder(error, cloud)) from error
            return dict(
                cloud=self._drawing(answer, name),
                name=printable(name),
                category=given,
                classes=self._probabilities(answer),
                neighbors=self.neighbors.describe() if self.neighbors else [],
            )

    def _drawing(self, answer: Answer, name: str) -> dict[str, Any]:
        """The cloud as the model saw it, colored by its parts if it has any."""
        answer.source = name
        if answer.sample is not None:
            answer.sample.set_metainfo(dict(source=name))
        (cloud,) = shown([answer], self.inferencer.meta)
        described = describe_cloud(cloud)
        for panel in described['panels']:
            panel['name'] = ''  # there is one only
        return described

    def _probabilities(self, answer: Answer) -> list[dict[str, Any]]:
        """Classes with their probabilities, best first."""
        if self.segments or answer.sample is None:
            return []
        scores = answer.sample.pred_scores.float()
        names = class_names(self.inferencer.meta, len(scores))
        order = scores.argsort(descending=True, stable=True).tolist()
        return [
            dict(name=printable(names[index]), probability=round(float(scores[index]), 4)) for index in order
        ]

    def _categories(self) -> list[str]:
        """What a part segmentor may be told; numbers where its checkpoint has no names."""
        if not self.segments:
            return []
        count = self.inferencer.model.head.num_categories
        return class_names(self.inferencer.meta, count)


def _without_folder(error: Exception, cloud: Path | np.ndarray) -> str:
    """What an error says, with the name of the file only, as its place is the demo's affair."""
    said = str(error)
    return said.replace(str(cloud), cloud.name) if isinstance(cloud, Path) else said
