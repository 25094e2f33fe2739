"""Training images as ultralytics gets them: boxes on their objects, mosaics of images that go together."""

import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from artdet.detectors.yolo_network import quiet_ultralytics
from artdet.training.examples import Example
from artdet.training.pictures import Pictures

RED, BLUE, GREY = (250, 0, 0), (0, 0, 250), 114
SIDE = 64


@pytest.fixture(scope="module")
def make_dataset(cache):
    """A data set without any change of colour or place but those asked for."""
    quiet_ultralytics()
    from ultralytics.cfg import get_cfg

    from artdet.training.backends.yolo_data import ExampleDataset

    def make(examples, *, pictures=None, batch=4, **options):
        still = dict.fromkeys(("mosaic", "hsv_h", "hsv_s", "hsv_v", "translate", "scale", "fliplr"), 0.0)
        hyp = get_cfg(overrides={**still, "imgsz": SIDE, **options})
        pictures = pictures or Pictures(max_side=SIDE)
        return ExampleDataset(examples, pictures, ("dog", "cat"), imgsz=SIDE, hyp=hyp, batch_size=batch, stride=32)

    random.seed(0)
    return make


@pytest.fixture
def make_example(tmp_path):
    """A flat picture with a rectangle where each box is."""

    def make(name, *, size=(60, 100), colour=(0, 0, 0), boxes=(), labels=None, looked=(True, True)):
        pixels = np.full((*size, 3), colour, dtype=np.uint8)
        for x1, y1, x2, y2 in boxes:
            pixels[y1:y2, x1:x2] = RED
        path = tmp_path / f"{name}.png"
        Image.fromarray(pixels).save(path)
        return Example(
            path=path,
            photograph=True,
            image_size=size,
            boxes=np.array(boxes, dtype=np.float32).reshape(-1, 4),
            labels=np.array(labels if labels is not None else [0] * len(boxes), dtype=np.int64),
            labelled=np.array(looked),
            covered=np.array(looked),
        )

    return make


def pixels_of(item):
    """RGB (H, W, 3) of what the network gets."""
    return item["img"].numpy().transpose(1, 2, 0)


def red_box(pixels):
    """xyxy around what is red."""
    rows, columns = np.nonzero((pixels[..., 0] > 125 + GREY / 2) & (pixels[..., 2] < 60))
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def corners(item):
    """xyxy in pixels of the boxes."""
    x, y, width, height = (item["bboxes"].numpy() * SIDE).T
    return np.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], axis=1)


@pytest.mark.parametrize("size", [(60, 100), (100, 60), (30, 50), (64, 40), (200, 60)])
@pytest.mark.parametrize("options", [{}, {"fliplr": 1.0}, {"mosaic": 1.0}], ids=["as it is", "mirrored", "mosaic"])
def test_boxes_stay_on_their_objects(make_dataset, make_example, size, options):
    height, width = size
    box = (width // 5, height // 4, width // 2, height - height // 5)
    example = make_example("one", size=size, boxes=[box], labels=[1])
    item = make_dataset([example], **options)[0]
    assert item["img"].shape == (3, SIDE, SIDE)
    assert set(item["cls"].numpy().ravel()) <= {1.0}
    if options.get("mosaic"):  # several copies, of which some may lie outside
        found = corners(item)
        seen = red_box(pixels_of(item)) if len(found) else []
        whole = [*found[:, :2].min(0), *found[:, 2:].max(0)] if len(found) else []
        np.testing.assert_allclose(whole, seen, atol=2.5)
    else:
        np.testing.assert_allclose(corners(item)[0], red_box(pixels_of(item)), atol=1.5)


def test_an_image_without_boxes(make_dataset, make_example):
    item = make_dataset([make_example("none", colour=BLUE)])[0]
    assert item["cls"].shape == (0, 1)
    assert item["bboxes"].shape == (0, 4)
    assert pixels_of(item)[32, 32].tolist() == list(BLUE)


def colours(dataset, index):
    """Which of the two colours are in an item; grey is where nothing is."""
    pixels = pixels_of(dataset[index]).astype(int)
    return {name for name, at in (("red", 0), ("blue", 2)) if (pixels[..., at] > 200).any()}


@pytest.mark.parametrize(
    ("looked", "joined"), [((True, False), False), ((True, True), True)], ids=["two groups", "one group"]
)
def test_mosaics_join_what_was_looked_at_alike(make_dataset, make_example, looked, joined):
    reds = [make_example(f"red{number}", colour=RED) for number in range(3)]
    blues = [make_example(f"blue{number}", colour=BLUE, looked=looked) for number in range(3)]
    dataset = make_dataset([*reds, *blues], mosaic=1.0)
    assert dataset.groups == [0, 0, 0, *([0] * 3 if joined else [1] * 3)]
    for index in range(6):
        dataset.load_image(index)
    seen = [(index, colours(dataset, index)) for _ in range(6) for index in range(6)]
    if joined:
        assert any(found == {"red", "blue"} for _, found in seen)
    else:
        assert all(found <= {"red" if index < 3 else "blue"} for index, found in seen)
    assert list(dataset.collate_fn([dataset[4], dataset[1]])["index"]) == [4, 1]


def test_what_is_covered_separates_too(make_dataset, make_example):
    one, other = make_example("a"), make_example("b")
    object.__setattr__(other, "covered", np.array([True, False]))
    assert make_dataset([one, other, one]).groups == [0, 1, 0]


def test_mosaics_end_with_the_last_epochs(make_dataset, make_example):
    example = make_example("one", colour=BLUE)
    dataset = make_dataset([example], mosaic=1.0)
    from ultralytics.cfg import get_cfg

    dataset.close_mosaic(get_cfg(overrides={"imgsz": SIDE, "translate": 0.0, "scale": 0.0, "hsv_v": 0.0, "hsv_s": 0.0}))
    pixels = pixels_of(dataset[0])
    assert (pixels[..., 2] > 200).mean() == pytest.approx(60 / 100, abs=0.05)


def test_the_buffer_holds_what_was_read_last_and_forgets(make_dataset, make_example):
    dataset = make_dataset([make_example(str(number)) for number in range(11)], batch=1)
    for index in range(11):
        dataset[index]
    assert 2 <= len(dataset.buffer) <= 8
    assert dataset.buffer[-1] == 10
    assert [index for index, image in enumerate(dataset.ims) if image is not None] == dataset.buffer
    dataset.forget()
    assert dataset.buffer == []
    assert dataset.ims == [None] * 11


def test_variants_are_chosen_anew_once_the_buffer_has_forgotten(make_dataset, make_example, tmp_path):
    example = make_example("photograph")
    files = [make_example("red", colour=RED).path, make_example("blue", colour=BLUE).path]
    dataset = make_dataset([example], pictures=Pictures(max_side=SIDE, variants={example.path: files}))
    seen = []
    for _ in range(16):
        dataset.forget()
        assert colours(dataset, 0) == colours(dataset, 0)
        seen.append(colours(dataset, 0))
    assert {"red"} in seen
    assert {"blue"} in seen
    assert sum(len(found) for found in seen) == 16


def test_nothing_is_written_beside_the_images(make_dataset, make_example):
    example = make_example("one", boxes=[(10, 10, 40, 40)])
    make_dataset([example], mosaic=1.0)[0]
    assert [path.name for path in Path(example.path).parent.iterdir()] == ["one.png"]
