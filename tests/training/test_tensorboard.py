"""The TensorBoard log, read back by TensorBoard's own reader."""

import pytest

from artdet.training import tensorboard as module
from artdet.training.tensorboard import MISSING, Log, scalars


def test_without_the_package_one_note_and_no_log(folder, make_epochs, monkeypatch):
    monkeypatch.setattr(module, "is_installed", lambda package: False)
    notes = []
    log = Log(folder, notes.append)
    log.add(make_epochs(2))
    log.close()
    assert notes == [MISSING]
    assert not list(folder.path.iterdir())


def test_what_was_not_measured_has_no_scalar(make_epochs):
    epoch = make_epochs(1, every=2)[0]
    assert scalars(epoch) == {
        "loss/loss": 3.0,
        "loss/box_loss": 1.0,
        "loss/cls_loss": 2.0,
        "training/learning_rate": 0.01,
        "training/seconds": 60.0,
        "training/images_per_second": 2.0,
    }


def _read(folder):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = reader.EventAccumulator(str(folder.tensorboard()))
    found.Reload()
    return found


@pytest.fixture
def installed():
    pytest.importorskip("tensorboard")


@pytest.mark.usefixtures("installed")
def test_no_epoch_no_file(folder, make_epochs):
    Log(folder, print).add([])
    assert not list(folder.tensorboard().iterdir())


@pytest.mark.usefixtures("installed")
def test_each_epoch_is_a_step(folder, make_epochs):
    epochs, notes = make_epochs(4, every=2), []
    log = Log(folder, notes.append)
    for done in range(1, 5):
        log.add(epochs[:done])
    log.close()
    found = _read(folder)
    assert [(one.step, one.value) for one in found.Scalars("loss/loss")] == [
        (1, pytest.approx(3.0)),
        (2, pytest.approx(1.5)),
        (3, pytest.approx(1.0)),
        (4, pytest.approx(0.75)),
    ]
    assert [one.step for one in found.Scalars("validation/ap50")] == [2, 4]
    assert found.Scalars("ap50_fine/cat")[1].value == pytest.approx(0.375)
    assert found.Scalars("ap50_coarse/animals")[1].value == pytest.approx(1.0)
    assert notes == []


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("before", "kept"), [(3, 3), (3, 2), (3, 0)], ids=["goes on", "an epoch is trained again", "all are"]
)
def test_no_point_stands_twice_after_going_on(folder, make_epochs, before, kept):
    Log(folder, print).add(make_epochs(before))  # and is killed: never closed
    again = make_epochs(5)
    log = Log(folder, print)
    for done in range(kept + 1, 6):
        log.add(again[:done])
    log.close()
    points = _read(folder).Scalars("loss/loss")
    assert [one.step for one in points] == [1, 2, 3, 4, 5]
    assert [one.value for one in _read(folder).Scalars("validation/ap")] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    times = [one.wall_time for one in points]
    assert times == sorted(times) or kept < 2  # epochs of a test take no time, so only older ones lie apart
    assert [bool(file.stat().st_size) for file in sorted(folder.tensorboard().iterdir())] == [False, True]


@pytest.mark.usefixtures("installed")
def test_an_open_tensorboard_forgets_what_is_written_anew(folder, make_epochs):
    """The reader sees the older file first, then the newer one with the same steps."""
    Log(folder, print).add(make_epochs(3))
    found = _read(folder)
    for count in (4, 5, 6):
        Log(folder, print).add(make_epochs(count))
        found.Reload()
        assert [one.step for one in found.Scalars("loss/loss")] == list(range(1, count + 1))
    assert len(list(folder.tensorboard().iterdir())) == 2
