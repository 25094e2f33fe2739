"""What of the training by Detectron2 needs no Detectron2."""

from itertools import islice

import numpy as np
import pytest

from artdet.data.training_settings import TrainingSettings
from artdet.detectors.detectron2_trained import ARCHITECTURES, has_normalised_fpn, network_options
from artdet.errors import ConfigError
from artdet.training.backends.detectron2_config import architecture, normalisation_options, solver_options
from artdet.training.backends.detectron2_data import Draw, View, cut, draws, planes, varied
from artdet.training.examples import Example, indices_of_epoch
from artdet.training.pictures import Pictures

FACTORS = np.array([1.0, 2.5, 0.5, 1.0])


def taken(count, *, batch, step=0, factors=FACTORS):
    return list(islice(draws(factors, seed=3, batch=batch, step=step), count))


def test_epochs_follow_each_other_in_full_steps():
    shown = taken(12, batch=2)
    assert [draw.epoch for draw in shown] == [0] * 6 + [1] * 6
    assert [draw.place for draw in shown] == [*range(6), *range(6)]
    for epoch in (0, 1):
        expected = indices_of_epoch(FACTORS, epoch=epoch, seed=3)
        assert [draw.example for draw in shown if draw.epoch == epoch][:5] == expected.tolist()
        assert shown[epoch * 6 + 5].example == expected[0]


@pytest.mark.parametrize("step", [0, 1, 3, 4, 7], ids=str)
def test_going_on_shows_what_would_have_come(step):
    assert taken(10, batch=2, step=step) == taken(10 + 2 * step, batch=2)[2 * step :]


def test_a_batch_larger_than_the_data_is_filled():
    assert taken(3, batch=3, factors=np.ones(1)) == [Draw(0, place, 0) for place in range(3)]


@pytest.mark.parametrize(
    ("boxes", "window", "expected", "kept"),
    [
        ([], (2, 3), [], []),
        ([[4, 3, 8, 7]], (2, 3), [[1, 1, 5, 5]], [0]),
        ([[0, 0, 6, 6]], (2, 3), [[0, 0, 3, 4]], [0]),
        ([[0, 0, 3, 2], [12, 9, 14, 10]], (2, 3), [], []),
        ([[0, 0, 4, 3], [0, 0, 4, 4]], (2, 3), [[0, 0, 1, 2]], [1]),
    ],
    ids=["none", "inside", "cut", "outside", "of one too little is left"],
)
def test_a_window_moves_and_cuts_boxes(boxes, window, expected, kept):
    pixels = np.arange(10 * 16 * 3, dtype=np.uint8).reshape(10, 16, 3)
    view = View(pixels, np.array(boxes, dtype=np.float32).reshape(-1, 4), np.arange(len(boxes)))
    found = cut(view, *window, 6)
    assert found.pixels.shape == (6, 6, 3)
    assert (found.pixels == pixels[2:8, 3:9]).all()
    assert found.boxes.tolist() == expected
    assert found.labels.tolist() == kept


def test_planes_are_bgr():
    image = np.zeros((2, 5, 3), dtype=np.uint8)
    image[..., 0], image[..., 2] = 200, 7
    assert planes(image).shape == (3, 2, 5)
    assert planes(image)[:, 0, 0].tolist() == [7, 0, 200]


@pytest.fixture
def red_box(tmp_path):
    """A white picture with a red box, and the example of it; the truth is in pixels of an image twice as large."""
    from PIL import Image

    pixels = np.full((60, 100, 3), 255, dtype=np.uint8)
    pixels[20:40, 10:50] = (255, 0, 0)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    looked = np.ones(1, dtype=np.bool_)
    box = np.array([[20, 40, 100, 80]], dtype=np.float32)
    return Example(tmp_path / "a.png", False, (120, 200), box, np.zeros(1, dtype=np.int64), looked, looked)


def test_boxes_stay_on_what_they_hold(red_box):
    pictures = Pictures(max_side=100)
    sizes, mirrors = set(), set()
    for seed in range(12):
        view = varied(red_box, pictures, np.random.default_rng(seed), size=80, scale=0.5)
        assert max(view.pixels.shape[:2]) <= 80
        sizes.add(view.pixels.shape)
        red = view.pixels[..., 1].astype(int) < view.pixels[..., 0].astype(int) - 60
        if not len(view.boxes):
            assert red.mean() < 0.03
            continue
        ys, xs = np.nonzero(red)
        around = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
        assert np.abs(view.boxes[0] - around).max() <= 1.6
        mirrors.add(bool(view.boxes[0, [0, 2]].mean() * 2 > view.pixels.shape[1]))
    assert len(sizes) > 4
    assert mirrors == {False, True}


def test_the_same_numbers_draw_the_same(red_box):
    first, second = (
        varied(red_box, Pictures(max_side=100), np.random.default_rng((5, 1, 2)), size=64, scale=0.5) for _ in range(2)
    )
    assert (first.pixels == second.pixels).all()
    assert (first.boxes == second.boxes).all()


# Choices of the config.


@pytest.mark.parametrize(("name", "expected"), [(None, "R50-FPN"), ("X101-FPN", "X101-FPN")], ids=["default", "named"])
def test_architectures(name, expected):
    assert architecture(TrainingSettings(backend="detectron2", architecture=name)) == expected
    assert expected in ARCHITECTURES


def test_an_unknown_architecture_is_told_with_the_known_one():
    with pytest.raises(ConfigError, match="no 'R50-FPM'.* Did you mean 'R50-FPN'"):
        architecture(TrainingSettings(architecture="R50-FPM"))


def test_the_plan_of_the_learning_rate():
    own = TrainingSettings(epochs=3, batch=4, warmup_epochs=0.5, final_share=0.1, weight_decay=0.001)
    options = solver_options(own, 10)
    assert options["SOLVER.BASE_LR"] == 0.005
    assert options["SOLVER.BASE_LR_END"] == pytest.approx(0.0005)
    assert (options["SOLVER.MAX_ITER"], options["SOLVER.WARMUP_ITERS"]) == (30, 5)
    assert options["SOLVER.WEIGHT_DECAY"] == 0.001
    named = TrainingSettings(epochs=1, learning_rate=0.3, warmup_epochs=9)
    assert solver_options(named, 10)["SOLVER.BASE_LR"] == 0.3
    assert solver_options(named, 10)["SOLVER.WARMUP_ITERS"] == 10


def test_random_weights_normalise_by_the_batch_and_others_keep_their_statistics():
    random = normalisation_options(from_random=True, normalised_fpn=False)
    assert set(random.values()) == {"BN", 0}
    zoo = normalisation_options(from_random=False, normalised_fpn=False)
    assert (zoo["MODEL.RESNETS.NORM"], zoo["MODEL.FPN.NORM"]) == ("FrozenBN", "")
    own = normalisation_options(from_random=False, normalised_fpn=True)
    assert own["MODEL.FPN.NORM"] == "FrozenBN"


def test_what_card_and_tensors_tell_of_a_network():
    assert not has_normalised_fpn([])
    assert not has_normalised_fpn(["backbone.fpn_lateral2.weight", "backbone.bottom_up.stem.conv1.norm.weight"])
    assert has_normalised_fpn(["backbone.fpn_lateral2.norm.weight"])
    options = network_options(5, min_size=None, max_size=512, normalised_fpn=True)
    assert options["MODEL.ROI_HEADS.NUM_CLASSES"] == 5
    assert options["INPUT.MAX_SIZE_TEST"] == 512
    assert "INPUT.MIN_SIZE_TEST" not in options
    assert options["MODEL.FPN.NORM"] == "FrozenBN"


def test_without_detectron2_one_sentence_with_its_install_line(monkeypatch):
    from artdet.errors import MissingBackend
    from artdet.training.backends import detectron2 as backend

    monkeypatch.setattr(backend, "is_installed", lambda package: False)
    with pytest.raises(MissingBackend, match="needs Detectron2, which is not installed. Install it with: pip install"):
        backend.train(None)
