"""Objects cut out of photographs by their boxes."""

import json

import numpy as np
from PIL import Image

from artdet.data.cutouts import load_cutouts
from artdet.data.grabcut import cut_out, outline
from artdet.data.sources import load_dataset
from artdet.labelmaps import LabelMap


def photo(height=160, width=220):
    """A red ellipse with a stripe on a green, noisy ground, and its box."""
    rows, columns = np.mgrid[:height, :width]
    inside = ((rows - 80) / 40) ** 2 + ((columns - 100) / 60) ** 2 <= 1
    noise = np.random.default_rng(0).integers(0, 30, (height, width, 3))
    pixels = np.where(inside[..., None], (200, 40, 40), (30, 140, 60)) + noise
    return pixels.astype(np.uint8), inside, np.array([40, 40, 161, 121], np.float32)


def test_the_outline_is_the_objects():
    pixels, inside, box = photo()
    found = outline(pixels, box)
    assert not isinstance(found, str)
    solid = found[..., 3] > 127
    assert 0.9 * inside.sum() < solid.sum() <= inside.sum()
    assert (found[..., 0][solid] > 190).mean() > 0.99


def test_a_box_without_an_object_gives_none():
    pixels, _, _ = photo()
    assert isinstance(outline(pixels, np.array([165, 10, 219, 70], np.float32)), str)


def test_a_source(tmp_path, taxonomy):
    pixels, _, box = photo()
    root = tmp_path / "set"
    (root / "images").mkdir(parents=True)
    Image.fromarray(pixels).save(root / "images" / "a.png")
    x1, y1, x2, y2 = box.tolist()
    boxes = [[x1, y1, x2 - x1, y2 - y1], [5, 5, 20, 20], [180, 0, 40, 150]]
    notes = [{"id": i, "image_id": 1, "category_id": 1, "bbox": b} for i, b in enumerate(boxes)]
    image = {"id": 1, "file_name": "a.png", "height": 160, "width": 220}
    categories = [{"id": 1, "name": "horse"}]
    content = {"images": [image], "annotations": notes, "categories": categories, "info": {"licence": "CC0"}}
    (root / "instances.json").write_text(json.dumps(content))
    dataset = load_dataset(root, taxonomy=taxonomy)
    horse, steps = taxonomy.ids_of(["horse"]), []
    result = cut_out(dataset, horse, tmp_path / "cuts", progress=steps.append)
    assert (dict(result.made), dict(result.refused), steps) == ({"horse": 1}, {"small": 2}, [0, 1])
    found, _ = load_cutouts(tmp_path / "cuts", horse, label_map=LabelMap.identity(), taxonomy=taxonomy)
    assert [dict(c.origin) for c in found] == [{"source": "set", "file": "a.png", "licence": "CC0"}]
    made = {p: p.stat().st_mtime_ns for p in tmp_path.glob("cuts/horse/*")}
    assert cut_out(dataset, horse, tmp_path / "cuts", progress=steps.append).made == {"horse": 1}
    assert made == {p: p.stat().st_mtime_ns for p in tmp_path.glob("cuts/horse/*")}
    nothing = cut_out(dataset, taxonomy.ids_of(["cat"]), tmp_path / "none", progress=steps.append)
    assert (nothing.made, nothing.refused) == ({}, {})
