"""Boxes in pictures: where they should be, in their colours, legible on dark and light, whole in the picture."""

import hashlib
from itertools import combinations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from artdet.drawing import category_colours, draw, save_picture
from artdet.errors import LabelError, RunError
from artdet.runs import Box
from artdet.taxonomy import Node, Taxonomy

TAXONOMY = Taxonomy.load()
COLOURS = category_colours(TAXONOMY)


def flat(height, width, value=128):
    return np.full((height, width, 3), value, dtype=np.uint8)


def drawn(boxes, image, image_size=None, taxonomy=TAXONOMY):
    return draw(image, boxes, taxonomy=taxonomy, image_size=image_size or image.shape[:2])


def extent(picture, colour):
    """(left, top, right, bottom), exclusive, of all pixels of a colour."""
    rows, columns = np.nonzero((picture == colour).all(axis=2))
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def test_no_boxes_gives_a_copy():
    image = flat(900, 1000)
    picture = drawn([], image)
    assert picture is not image
    assert not np.shares_memory(picture, image)
    np.testing.assert_array_equal(picture, image)


def test_input_is_untouched_and_may_be_read_only():
    image = flat(900, 1000)
    image.flags.writeable = False
    picture = drawn([Box("mary", 0.5, (100, 200, 300, 500), "a")], image)
    assert (image == 128).all()
    assert picture.dtype == np.uint8
    assert picture.flags.writeable


@pytest.mark.parametrize(
    ("shape", "original"),
    [((900, 1000), (900, 1000)), ((900, 1000), (4500, 5000)), ((180, 200), (900, 1000)), ((45, 50), (900, 1000))],
    ids=["same", "reduced copy", "small, enlarged", "tiny, enlarged to the limit"],
)
def test_box_stands_where_it_belongs(shape, original):
    height, width = original
    box = Box("ship", 0.5, (0.2 * width, 0.3 * height, 0.7 * width, 0.9 * height), "a")
    picture = drawn([box], flat(*shape), original)
    h, w = picture.shape[:2]
    assert h / w == pytest.approx(shape[0] / shape[1], rel=0.02)
    body = picture.copy()
    body[: round(0.3 * h)] = 0  # the label stands above
    np.testing.assert_allclose(extent(body, COLOURS["structures"]), (0.2 * w, 0.3 * h, 0.7 * w, 0.9 * h), atol=1)


@pytest.mark.parametrize(
    ("shape", "factor"),
    [((900, 1000), 1), ((850, 850), 1), ((425, 425), 2), ((100, 120), 4), ((60, 2000), 1.2), ((10, 3000), 1)],
)
def test_only_small_pictures_are_enlarged(shape, factor):
    assert drawn([], flat(*shape)).shape[:2] == pytest.approx((shape[0] * factor, shape[1] * factor), abs=1)


@pytest.mark.parametrize("value", [0, 60, 128, 200, 255])
@pytest.mark.parametrize("label", TAXONOMY.categories)
def test_line_and_text_stand_out_on_every_ground(value, label):
    def luminance(pixels):
        share = np.asarray(pixels, dtype=float) / 255
        return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]

    picture = drawn([Box(label, 0.5, (200, 300, 700, 800), "a")], flat(900, 1000, value))
    # Across the left edge, away from the label: the strongest contrast with the ground, as WCAG 2 counts it.
    levels, ground = luminance(picture[600, 190:215]), luminance([value] * 3)
    contrast = (np.maximum(levels, ground) + 0.05) / (np.minimum(levels, ground) + 0.05)
    assert contrast.max() > 3


@pytest.fixture
def pen(monkeypatch):
    """What Pillow was asked to draw: ``plates`` (corners as given, last pixel included) and ``texts``."""

    class Pen:
        plates, texts = [], []

    def rectangle(self, corners, fill=None, **others):
        if fill is not None:
            Pen.plates.append(corners)
        return as_it_was[0](self, corners, fill=fill, **others)

    def text(self, place, words, **others):
        Pen.texts.append(words)
        return as_it_was[1](self, place, words, **others)

    as_it_was = ImageDraw.ImageDraw.rectangle, ImageDraw.ImageDraw.text
    monkeypatch.setattr(ImageDraw.ImageDraw, "rectangle", rectangle)
    monkeypatch.setattr(ImageDraw.ImageDraw, "text", text)
    return Pen


@pytest.mark.parametrize(
    "corners",
    [(0, 0, 1000, 900), (0, 0, 60, 40), (960, 0, 1000, 30), (0, 880, 40, 900), (950, 870, 1000, 900)],
    ids=["whole", "top left", "top right", "bottom left", "bottom right"],
)
def test_label_is_whole_in_the_picture(pen, corners):
    picture = drawn([Box("saint_sebastian", 0.5, corners, "a")], flat(900, 1000))
    [(left, top, right, bottom)] = pen.plates
    assert pen.texts == ["saint_sebastian 0.50"]
    assert 0 <= left < right < 1000
    assert 0 <= top < bottom < 900
    plate = picture[top + 1 : bottom, left + 1 : right]
    assert (plate == COLOURS["persons"]).all(axis=2).mean() > 0.6
    assert (plate == 0).all(axis=2).mean() > 0.05  # the letters


def test_labels_keep_out_of_each_others_way(pen):
    names = [f"c{i}" for i in range(5)]
    taxonomy = Taxonomy(tuple(Node(name, name) for name in names))
    same = [Box(name, 0.5, (400, 400, 410, 410), "a") for name in names]
    drawn(same, flat(900, 1000), taxonomy=taxonomy)
    assert len(pen.plates) == 5
    for (a1, b1, a2, b2), (c1, d1, c2, d2) in combinations(pen.plates, 2):
        assert a2 < c1 or c2 < a1 or b2 < d1 or d2 < b1


def test_text_grows_with_the_picture():
    def plate_height(size):
        picture = drawn([Box("cat", 0.5, (0.5, 0.5, 0.9, 0.9), "a")], flat(*size), (1, 1))
        _, top, *_ = extent(picture, COLOURS["animals"])
        return round(0.5 * size[0]) - top

    small, large = plate_height((900, 1000)), plate_height((1800, 2000))
    assert 15 < small < 30
    assert large / small == pytest.approx(2, rel=0.1)


@pytest.mark.parametrize(
    "corners",
    [(5, 5, 5, 5), (0, 0, 0, 0), (1000, 900, 1000, 900), (-50, -50, 20, 20), (990, 890, 2000, 2000), (1, 2, 1.2, 800)],
)
def test_odd_boxes_are_no_error(corners):
    assert (drawn([Box("cat", 0.5, corners, "a")], flat(900, 1000)) != 128).any()


def test_box_without_size_still_shows():
    picture = drawn([Box("cat", 0.5, (500, 600, 500, 600), "a")], flat(900, 1000))
    assert tuple(picture[600, 500]) == COLOURS["animals"]


@pytest.mark.parametrize("shape", [(1, 1), (7, 9), (20, 4000), (3000, 15)])
def test_odd_pictures_are_no_error(shape):
    boxes = [Box("cat", 0.5, (0, 0, shape[1], shape[0]), "a"), Box("saint_sebastian", 1.0, (0, 0, 1, 1), "a")]
    assert drawn(boxes, flat(*shape)).ndim == 3


@pytest.mark.parametrize(("label", "short"), [("saint_sebastian", "saint_sebastian"), ("persons", "0.50")])
def test_crowds_shorten_to_what_the_colour_does_not_say(pen, label, short):
    corners = np.random.default_rng(0).uniform(300, 500, (80, 2))
    crowd = [Box(label, 0.5, (x, y, x + 12, y + 12), "a") for x, y in corners]
    drawn(crowd[:1], flat(900, 1000))
    assert pen.texts == [f"{label} 0.50"]
    pen.texts.clear()
    drawn(crowd, flat(900, 1000))
    assert len(pen.texts) == 80
    assert set(pen.texts) == {f"{label} 0.50", short}


def test_unknown_label_is_named():
    with pytest.raises(LabelError, match="unicorn"):
        drawn([Box("unicorn", 0.5, (0, 0, 1, 1), "a")], flat(900, 1000))


def test_saved_picture_is_nearly_the_one_given(tmp_path):
    picture = drawn([Box("fish", 0.5, (100, 200, 300, 500), "a")], flat(850, 900))
    path = tmp_path / "Dürer, 1.jpg"
    save_picture(path, picture)
    with Image.open(path) as back:
        assert back.format == "JPEG"
        assert np.abs(np.asarray(back).astype(int) - picture).mean() < 2
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    first = hashlib.sha256(path.read_bytes()).hexdigest()
    save_picture(path, picture)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == first


@pytest.mark.parametrize(
    ("where", "shape", "says"),
    [("missing/a.jpg", (7, 9), "cannot be written"), ("a.jpg", (1, 70000), "70000x1 pixels does not fit into a JPEG")],
)
def test_picture_that_cannot_be_saved(tmp_path, where, shape, says):
    with pytest.raises(RunError, match=says):
        save_picture(tmp_path / where, flat(*shape))
    assert not list(tmp_path.iterdir())
