from __future__ import annotations

import pytest
from PIL import Image

from artdet.errors import InputError
from artdet.view.dataset import find, update
from artdet.view.evaluation import evaluate
from artdet.view.export import export, how_to_load

from .conftest import SIZE, box, record

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def dataset(make_run, make_truth, taxonomy, tmp_path):
    (tmp_path / "images").mkdir()
    Image.new("RGB", SIZE[::-1]).save(tmp_path / "images" / "a.jpg")
    run = make_run([record("a.jpg", box("cat", 1, 2, 30, 40))])
    made = find(update(run, make_truth({"a.jpg": [("cat", 1, 2, 30, 40)]}), taxonomy=taxonomy).name)
    evaluate(made, taxonomy=taxonomy, level="fine")
    return made


@pytest.mark.parametrize("copy_images", [True, False])
def test_someone_else_can_load_it(dataset, tmp_path, copy_images):
    import fiftyone

    folder = tmp_path / "out"
    export(dataset, folder, copy_images=copy_images)
    assert list(folder.rglob("*.jpg")) == ([folder / "data" / "a.jpg"] if copy_images else [])
    loaded = fiftyone.Dataset.from_dir(
        str(folder), fiftyone.types.FiftyOneDataset, name=f"l-{tmp_path.name}-{copy_images}"
    )
    sample = loaded.first()
    assert sample.predictions.detections[0].eval == "tp"
    assert sample.filepath == str((folder / "data" if copy_images else tmp_path / "images") / "a.jpg")
    assert loaded.list_evaluations() == ["eval"]
    assert str(folder) in how_to_load(folder)


def test_what_is_there_is_not_overwritten(dataset, tmp_path):
    with pytest.raises(InputError, match="is there already"):
        export(dataset, tmp_path / "images", copy_images=True)


def test_images_that_are_gone(dataset, tmp_path):
    (tmp_path / "images" / "a.jpg").unlink()
    with pytest.raises(InputError, match="1 images are no longer there"):
        export(dataset, tmp_path / "out", copy_images=True)
    export(dataset, tmp_path / "out", copy_images=False)
