"""Pictures of mistakes: the right part of the right image, with the right boxes at the right place."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from artdet.errors import ImageError
from artdet.evaluate.pictures import Picture, Scene, nearest, picture
from artdet.evaluate.results import Mistake
from artdet.palette import category_colours
from artdet.runs import Box
from artdet.taxonomy import Taxonomy

SIZE = (300, 500)


def box(label: str, corners: tuple[float, float, float, float], score: float = 1.0) -> Box:
    return Box(label, score, corners, "m")


def false_alarm(corners: tuple[float, float, float, float], label: str = "cat") -> Mistake:
    return Mistake("false alarm", "a.png", label, 0.8, corners, "background")


def miss(corners: tuple[float, float, float, float], label: str = "cat") -> Mistake:
    return Mistake("miss", "a.png", label, None, corners, "missed")


def pixels(made: Picture) -> np.ndarray:
    start = "data:image/jpeg;base64,"
    assert made.data.startswith(start)
    image = Image.open(io.BytesIO(base64.b64decode(made.data[len(start) :])))
    assert image.format == "JPEG"
    assert (image.height, image.width) == made.size
    return np.asarray(image.convert("RGB")).astype(int)


def near(colour: np.ndarray, wanted: tuple[int, int, int], tolerance: int = 70) -> np.ndarray:
    return np.abs(colour - np.array(wanted)).sum(axis=-1) < tolerance


@pytest.fixture
def grey(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    Image.new("RGB", (SIZE[1], SIZE[0]), (120, 120, 120)).save(path)
    return path


@pytest.mark.parametrize(
    "corners",
    [
        (200, 100, 300, 200),
        (0, 0, 20, 10),
        (480, 290, 500, 300),
        (0, 0, 500, 300),
        (10, 140, 490, 150),
        (250, 0, 251, 300),
        (100, 100, 100, 100),
    ],
    ids=["middle", "first corner", "last corner", "whole", "flat", "thin", "no area"],
)
def test_picture_holds_the_box(grey: Path, taxonomy: Taxonomy, corners: tuple[float, float, float, float]) -> None:
    made = picture(false_alarm(corners), Scene(grey, SIZE, (), ()), taxonomy=taxonomy)
    shown = pixels(made)
    assert max(made.size) <= 480
    orange = near(shown, category_colours(taxonomy)["animals"], 110)
    assert orange.any(), "the box of the mistake has its category's colour"


def test_picture_shows_the_right_part(tmp_path: Path, taxonomy: Taxonomy) -> None:
    """A red patch inside of the box: its middle is the middle of the picture, context on every side."""
    path = tmp_path / "patch.png"
    image = np.full((*SIZE, 3), 60, dtype=np.uint8)
    image[130:170, 230:270] = (250, 20, 20)
    Image.fromarray(image).save(path)
    made = picture(false_alarm((200, 100, 300, 200)), Scene(path, SIZE, (), ()), taxonomy=taxonomy, side=240)
    # 2.4 times the box of 100 x 100 pixels is 240 x 240: one pixel of the picture is one of the image.
    assert made.size == (240, 240)
    rows, columns = np.nonzero(near(pixels(made), (250, 20, 20), 90))
    assert (rows.mean(), columns.mean()) == pytest.approx((119.5, 119.5), abs=1)
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == pytest.approx((40, 40), abs=2)


@pytest.mark.parametrize("factor", [1, 3], ids=["as it is", "larger scan"])
def test_lines_are_where_the_boxes_are(tmp_path: Path, taxonomy: Taxonomy, factor: int) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (SIZE[1] * factor, SIZE[0] * factor), (120, 120, 120)).save(path)
    size = (SIZE[0] * factor, SIZE[1] * factor)
    corners = tuple(float(factor * value) for value in (200, 100, 300, 200))
    shown = pixels(picture(false_alarm(corners), Scene(path, size, (), ()), taxonomy=taxonomy, side=240))  # type: ignore[arg-type]
    rows, columns = np.nonzero(near(shown, category_colours(taxonomy)["animals"], 110))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == pytest.approx((70, 170, 70, 170), abs=4)


def test_true_boxes_are_dashed_and_found_ones_solid(grey: Path, taxonomy: Taxonomy) -> None:
    colour = category_colours(taxonomy)["structures"]
    line = (200.0, 100.0, 300.0, 200.0)
    around = (190, 90, 310, 210)

    def top(scene: Scene, mistake: Mistake, wanted: tuple[int, int, int]) -> float:
        """The share of the wanted colour along the top of the inner box, away from its corners."""
        shown = near(pixels(picture(mistake, scene, taxonomy=taxonomy, side=288)), wanted, 200)
        middle = shown.shape[1] // 2
        rows = shown[:, middle - 40 : middle + 40]
        return float(rows.mean(axis=1)[30 : shown.shape[0] // 2].max())

    solid = top(Scene(grey, SIZE, (), (box("ship", line),)), false_alarm(around), colour)
    dashed = top(Scene(grey, SIZE, (box("ship", line),), ()), false_alarm(around), (255, 255, 255))
    assert solid > 0.95
    assert 0.3 < dashed < 0.8


def test_the_missed_box_is_dashed_in_its_colour(grey: Path, taxonomy: Taxonomy) -> None:
    line = (200.0, 100.0, 300.0, 200.0)
    scene = Scene(grey, SIZE, (box("cat", line),), ())
    shown = pixels(picture(miss(line), scene, taxonomy=taxonomy, side=240))
    solid = pixels(picture(false_alarm(line), Scene(grey, SIZE, (), ()), taxonomy=taxonomy, side=240))
    colour = category_colours(taxonomy)["animals"]
    share = near(shown, colour, 110).sum() / near(solid, colour, 110).sum()
    assert 0.3 < share < 0.8
    assert not near(shown, (255, 255, 255)).any(), "it is not drawn a second time as one of the others"


def test_an_unknown_label_is_drawn_all_the_same(grey: Path, taxonomy: Taxonomy) -> None:
    scene = Scene(grey, SIZE, (box("unicorn", (0, 0, 50, 50)),), ())
    assert picture(false_alarm((0, 0, 60, 60), "unicorn"), scene, taxonomy=taxonomy).data


@pytest.mark.parametrize(
    ("name", "size", "cause"),
    [("gone.png", SIZE, "unreadable"), ("a.png", (500, 300), "changed"), ("broken.png", SIZE, "not an image")],
    ids=["gone", "other shape", "no image"],
)
def test_an_image_that_is_not_the_one_is_an_error(
    grey: Path, taxonomy: Taxonomy, name: str, size: tuple[int, int], cause: str
) -> None:
    (grey.parent / "broken.png").write_bytes(b"no image at all, but some text")
    with pytest.raises(ImageError) as caught:
        picture(false_alarm((1, 2, 30, 40)), Scene(grey.parent / name, size, (), ()), taxonomy=taxonomy)
    assert caught.value.cause == cause


def test_pictures_keep_to_their_size(tmp_path: Path, taxonomy: Taxonomy) -> None:
    path = tmp_path / "noise.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (*SIZE, 3), dtype=np.uint8)).save(path)
    scene = Scene(path, SIZE, (), ())
    sizes = [
        len(picture(false_alarm((100, 50, 300, 250)), scene, taxonomy=taxonomy, most_bytes=limit).data)
        for limit in (10_000_000, 60_000)
    ]
    assert sizes[1] < 0.7 * sizes[0]


@pytest.mark.parametrize(
    ("mistake", "label", "overlap"),
    [
        (false_alarm((0, 0, 10, 10)), "dog", 0.5),
        (miss((0, 0, 10, 10)), "ship", 0.2),
        (false_alarm((400, 200, 410, 210)), None, 0.0),
    ],
    ids=["true box at a false alarm", "found box at a miss", "nothing there"],
)
def test_nearest_box_is_of_the_other_side(grey: Path, mistake: Mistake, label: str | None, overlap: float) -> None:
    truth = (box("cow", (0, 0, 10, 1)), box("dog", (0, 0, 10, 5)))
    scene = Scene(grey, SIZE, truth, (box("ship", (0, 0, 2, 10)),))
    found = nearest(mistake, scene)
    assert (found[0].label if found else None) == label
    if found:
        assert found[1] == pytest.approx(overlap)


def test_nothing_to_be_near() -> None:
    assert nearest(miss((0, 0, 1, 1)), Scene(Path("a.png"), SIZE, (), ())) is None
