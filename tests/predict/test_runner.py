import shutil

import pytest

from artdet.errors import RunError
from artdet.predict.journal import open_journal
from artdet.predict.reading import ReadSettings
from artdet.predict.runner import RunSettings, predict_files
from artdet.runs import PREDICTIONS_FILE, Record

NAMES = [f"p{i:02}.png" for i in range(13)]


def settings(batch=4, window=6, **changes):
    return RunSettings(ReadSettings(None, 10**9, threads=2, window=window), batch, **changes)


def run(folder, root, ensemble, taxonomy, files=NAMES, stop_after=None, **changes):
    seen = []

    def progress(record):
        seen.append(record.file)
        if stop_after is not None and len(seen) == stop_after:
            raise KeyboardInterrupt

    folder.mkdir(exist_ok=True)
    with open_journal(folder) as journal:
        return predict_files(
            files, root, ensemble, journal, settings=settings(**changes), taxonomy=taxonomy, progress=progress
        )


def records(folder):
    return [Record.from_line(line) for line in (folder / PREDICTIONS_FILE).read_bytes().splitlines()]


def test_nothing_to_do_is_done_at_once(tmp_path, ensemble, taxonomy):
    tally = run(tmp_path / "run", tmp_path, ensemble, taxonomy, files=[])
    assert (tally.images, ensemble.seen) == (0, 0)


def test_every_image_gets_its_own_line_in_order(tmp_path, make_pictures, ensemble, taxonomy):
    root = make_pictures(*NAMES)
    tally = run(tmp_path / "run", root, ensemble, taxonomy)
    found = records(tmp_path / "run")
    assert [record.file for record in found] == NAMES
    for index, record in enumerate(found):
        assert record.size == (30 + index % 7, 50 + index % 11)
        width, height = record.size[1], record.size[0]
        assert record.detections[0].box == (0, 0, width / 2, height)
        assert record.detections[0].score == pytest.approx(index * 5 / 255, abs=1e-4)
        assert [box.source for box in record.detections] == ["left", "right"]
        assert [box.label for box in record.detections] == ["persons", "animals"]
    assert (tally.images, tally.boxes["persons"], tally.failures.total()) == (13, 13, 0)
    assert max(ensemble.batches) == 4


@pytest.mark.parametrize("stop_after", [1, 4, 5, 12])
def test_a_stopped_run_goes_on_to_the_same_lines(tmp_path, make_pictures, ensemble, taxonomy, stop_after):
    root = make_pictures(*NAMES)
    run(tmp_path / "whole", root, ensemble, taxonomy)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run", root, ensemble, taxonomy, stop_after=stop_after)
    assert len(records(tmp_path / "run")) == stop_after
    run(tmp_path / "run", root, ensemble, taxonomy, batch=3)
    assert records(tmp_path / "run") == records(tmp_path / "whole")


def test_copies_are_computed_once_also_within_a_batch_and_after_a_resume(tmp_path, make_pictures, ensemble, taxonomy):
    root = make_pictures("a.png", "c.png")
    for copy in ("b.png", "d.png"):
        shutil.copy(root / "a.png", root / copy)
    tally = run(tmp_path / "run", root, ensemble, taxonomy, files=["a.png", "b.png", "c.png"])
    assert (ensemble.seen, tally.copies, tally.images) == (2, 1, 3)
    assert run(tmp_path / "run", root, ensemble, taxonomy, files=["d.png"]).copies == 1
    assert ensemble.seen == 2
    first, second, _, fourth = records(tmp_path / "run")
    assert first.detections == second.detections == fourth.detections
    assert [first.file, second.file, fourth.file] == ["a.png", "b.png", "d.png"]


def test_what_cannot_be_read_is_a_line_and_the_run_goes_on(tmp_path, make_pictures, ensemble, taxonomy):
    root = make_pictures("a.png", "z.png")
    (root / "empty.png").write_bytes(b"")
    (root / "text.png").write_text("not a picture")
    files = ["a.png", "empty.png", "gone.png", "text.png", "z.png"]
    tally = run(tmp_path / "run", root, ensemble, taxonomy, files=files)
    causes = {record.file: record.error and record.error[0] for record in records(tmp_path / "run")}
    assert causes == {
        "a.png": None,
        "empty.png": "empty file",
        "gone.png": "unreadable",
        "text.png": "not an image",
        "z.png": None,
    }
    assert (tally.images, tally.failures.total()) == (2, 3)


def test_boxes_are_in_pixels_of_the_original(tmp_path, make_pictures, ensemble, taxonomy):
    root = make_pictures("a.png")
    (tmp_path / "run").mkdir()
    reduced = RunSettings(ReadSettings(25, 10**9, threads=1, window=2), 2)
    with open_journal(tmp_path / "run") as journal:
        predict_files(["a.png"], root, ensemble, journal, settings=reduced, taxonomy=taxonomy, progress=lambda _: None)
    (record,) = records(tmp_path / "run")
    assert record.size == (30, 50)
    assert record.detections[0].box == pytest.approx((0, 0, 26, 30), abs=1.1)


def test_low_boxes_go_and_members_stay_when_asked(tmp_path, make_pictures, ensemble, taxonomy):
    root = make_pictures(*NAMES[:4])
    run(tmp_path / "run", root, ensemble, taxonomy, files=NAMES[3:4], min_score=0.05, keep_members=True)
    (record,) = records(tmp_path / "run")
    assert [box.source for box in record.detections] == ["left"]
    assert {name: [box.source for box in boxes] for name, boxes in record.members.items()} == {
        "left": ["left"],
        "right": ["right"],
    }


def test_at_most_a_window_of_images_is_held(tmp_path, make_pictures, ensemble, taxonomy, monkeypatch):
    import threading

    from artdet.predict import reading

    root = make_pictures(*NAMES)
    lock, read, written, most = threading.Lock(), [0], [0], [0]
    real = reading.read_image

    def counting(path, **options):
        with lock:
            read[0] += 1
            most[0] = max(most[0], read[0] - written[0])
        return real(path, **options)

    monkeypatch.setattr(reading, "read_image", counting)

    def progress(_):
        written[0] += 1

    (tmp_path / "run").mkdir()
    with open_journal(tmp_path / "run") as journal:
        predict_files(
            NAMES, root, ensemble, journal, settings=settings(batch=2, window=3), taxonomy=taxonomy, progress=progress
        )
    assert 2 <= most[0] <= 2 + 3


def test_an_error_of_writing_ends_the_run(tmp_path, make_pictures, ensemble, taxonomy, monkeypatch):
    import os

    root = make_pictures(*NAMES)
    monkeypatch.setattr(os, "write", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(RunError, match="free space there and repeat the command"):
        run(tmp_path / "run", root, ensemble, taxonomy)
