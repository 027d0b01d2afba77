"""ScanObjectNN in its published layout."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from point_peft.datasets import ScanObjectNN
from point_peft.datasets.scanobjectnn import FILES
from point_peft.io.errors import DatasetError, DatasetNotFoundError


@pytest.mark.parametrize(('variant', 'count'), [('pb_t50_rs', 60), ('obj_bg', 45), ('obj_only', 30)])
def test_variants(scanobjectnn_root: Path, variant: str, count: int) -> None:
    """Each variant reads its own files; train and val partition the training file."""
    sizes = {
        split: len(ScanObjectNN(scanobjectnn_root, variant=variant, split=split))
        for split in ('train', 'val', 'trainval', 'test')
    }
    assert sizes['trainval'] == count and sizes['train'] + sizes['val'] == count and sizes['test'] == 15
    dataset = ScanObjectNN(scanobjectnn_root, variant=variant, split='test')
    directory, suffix = FILES[variant]
    assert dataset[4]['data_samples'].source == f'{scanobjectnn_root / directory / ("test" + suffix)}[4]'
    assert dataset.metainfo['dataset'] == f'ScanObjectNN/{variant}'
    assert len(dataset.metainfo['classes']) == 15 and dataset.metainfo['classes'][4] == 'chair'


def test_coordinates_are_those_of_the_file(scanobjectnn_root: Path, clouds) -> None:
    """Nothing is normalised, as in the published loaders."""
    dataset = ScanObjectNN(scanobjectnn_root, split='test')
    np.testing.assert_array_equal(dataset[2]['inputs']['points'].numpy(), clouds(15, 32)[2])


def test_missing_directory_says_where_to_get_it(tmp_path: Path) -> None:
    """Path, origin and the config without download, at once."""
    begin = time.perf_counter()
    with pytest.raises(DatasetNotFoundError) as caught:
        ScanObjectNN(tmp_path / 'nowhere')
    assert time.perf_counter() - begin < 1
    message = str(caught.value)
    assert str(tmp_path / 'nowhere') in message and 'https://' in message
    assert 'configs/point_peft/pointmae_mini_shapes.py' in message


def test_missing_file_is_named(scanobjectnn_root: Path) -> None:
    """One missing file of a dataset that is there."""
    path = scanobjectnn_root / 'main_split_nobg' / 'test_objectdataset.h5'
    path.unlink()
    with pytest.raises(FileNotFoundError, match='main_split_nobg/test_objectdataset.h5'):
        ScanObjectNN(scanobjectnn_root, variant='obj_only', split='test')


def test_label_outside(scanobjectnn_root: Path, write_h5, clouds) -> None:
    """File, index, label and range are said."""
    labels = np.zeros(6, dtype=int)
    labels[5] = 15
    path = write_h5(scanobjectnn_root / 'main_split' / 'test_objectdataset.h5', clouds(6, 32), labels)
    with pytest.raises(DatasetError) as caught:
        ScanObjectNN(scanobjectnn_root, variant='obj_bg', split='test')
    assert f'{path}[5] has label 15, outside [0, 15)' in str(caught.value)


def test_unknown_variant(tmp_path: Path) -> None:
    """The known variants are listed."""
    with pytest.raises(
        ValueError, match="variant='hardest' is unknown; choose one of pb_t50_rs, obj_bg, obj_only"
    ):
        ScanObjectNN(tmp_path, variant='hardest')
