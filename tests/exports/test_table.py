"""What holds for every format: where it writes, what it replaces, what it says."""

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest

from artdet.errors import ConfigError, LabelError, RunError
from artdet.exports import EXPORTS
from artdet.exports.table import exporter
from artdet.runs import PREDICTIONS_FILE, Box, Record

FORMATS = pytest.mark.parametrize("form", EXPORTS)


def files_below(folder: Path) -> dict[str, bytes]:
    return {os.fsdecode(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def one(label: str = "cat") -> Record:
    return Record("a.jpg", "00", (30, 40), (Box(label, 0.5, (1, 2, 3, 4), "x"),))


@FORMATS
def test_empty_run(run_of, form):
    made = run_of().export(form)
    assert (made.images, made.boxes, made.failures, made.notes) == (0, 0, 0, ())
    assert all(path.exists() for path in made.paths)


@FORMATS
def test_counts_and_place(made, form):
    found = made.export(form)
    assert found.folder == made.run.folder / "exports" / form
    assert (found.images, found.boxes, found.failures) == (8, 9, 2)
    assert list(found) == list(found.paths) == [found.folder / name for name in exporter(form).NAMES]
    assert sorted(p.name for p in found.folder.iterdir()) == sorted([*exporter(form).NAMES, f".artdet_{form}"])


@FORMATS
def test_low_scores_go_and_their_images_stay(made, form):
    found = made.export(form, min_score=0.5)
    assert (found.images, found.boxes, found.failures) == (8, 3, 2)


@FORMATS
def test_out_is_the_folder(made, form, tmp_path):
    found = made.export(form, tmp_path / "new" / "Dürer v1.0")
    assert found.folder == tmp_path / "new" / "Dürer v1.0"
    assert not (made.run.folder / "exports").exists()


@FORMATS
def test_second_export_is_the_first(made, form):
    first = files_below(made.export(form).folder)
    assert files_below(made.export(form).folder) == first


@FORMATS
def test_stale_files_go(run_of, form):
    run_of(one(), replace(one(), file="b.jpg")).export(form)
    folder = run_of(one()).export(form).folder
    assert not [name for name, content in files_below(folder).items() if "b.jpg" in name or b"b.jpg" in content]
    assert not list(folder.rglob("b.*"))


@FORMATS
def test_files_of_others_are_never_replaced(made, form, tmp_path):
    name = exporter(form).NAMES[0]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / name).write_text("precious")
    with pytest.raises(
        RunError, match=rf"has {name} already, and no {form} export of artdet wrote that\. Name another"
    ):
        made.export(form, tmp_path / "mine")
    assert files_below(tmp_path / "mine") == {name: b"precious"}


@FORMATS
def test_files_beside_an_export_stay(made, form):
    folder = made.export(form).folder
    (folder / "images").mkdir()
    (folder / "images" / "mine.jpg").write_text("precious")
    made.export(form)
    assert (folder / "images" / "mine.jpg").read_text() == "precious"


@FORMATS
def test_all_formats_share_a_folder(made, form, tmp_path):
    for other in EXPORTS:
        made.export(other, tmp_path / "all")
    alone = files_below(made.export(form, tmp_path / "alone").folder)
    together = files_below(tmp_path / "all")
    assert alone.items() <= together.items()


@FORMATS
def test_failed_export_leaves_the_earlier_one(run_of, form):
    folder = run_of(one()).export(form).folder
    before = files_below(folder)
    with pytest.raises(LabelError, match=r"a\.jpg: the taxonomy has no class 'unicorn'.*Export with the taxonomy file"):
        run_of(one(), one("unicorn")).export(form)
    assert files_below(folder) == before


@FORMATS
@pytest.mark.parametrize("target", ["file", "file/below"])
def test_target_that_is_a_file(made, form, target, tmp_path):
    (tmp_path / "file").write_text("precious")
    with pytest.raises(RunError, match="is a file and not a folder"):
        made.export(form, tmp_path / target)
    assert (tmp_path / "file").read_text() == "precious"


@FORMATS
@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a place where nobody may write")
def test_target_where_nobody_may_write(made, form):
    with pytest.raises(RunError, match=r"^/proc/self/\S+ cannot be written: .*\. \w.*\.$"):
        made.export(form, Path("/proc/self/export"))


@FORMATS
def test_full_disk(made, form, monkeypatch):
    folder = made.export(form).folder
    before = files_below(folder)
    module = exporter(form)

    class Full:
        def __init__(self, stream):
            self.stream = stream

        def __getattr__(self, name):
            return getattr(self.stream, name)

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.stream.close()

        def write(self, data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def opened(self, mode="r", *rest, **named):
        stream = real_open(self, mode, *rest, **named)
        return Full(stream) if mode in ("wb", "xb") else stream

    def write(job, records):
        monkeypatch.setattr(Path, "open", opened)
        return real_write(job, records)

    real_open, real_write = Path.open, module.write
    monkeypatch.setattr(module, "write", write)
    with pytest.raises(RunError, match=r"cannot be written: the disk is full\. Free some space"):
        made.export(form)
    assert files_below(folder) == before


def test_name_of_a_file_as_target(made, tmp_path):
    with pytest.raises(
        RunError, match=r"boxes\.csv looks like a file, but an export is a folder\. Name one, such as .*boxes\."
    ):
        made.export("csv", tmp_path / "boxes.csv")


@pytest.mark.parametrize(("form", "says"), [("cocoa", "Did you mean 'coco'"), ("pdf", "Known: coco, csv, yolo, voc")])
def test_unknown_format(made, form, says):
    with pytest.raises(ConfigError, match=f"there is no export format '{form}'.*{says}"):
        made.export(form)


@FORMATS
def test_run_that_cannot_be_read(made, form, monkeypatch):
    def fails(self):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("artdet.runs.Run.records", fails)
    with pytest.raises(RunError, match=rf"{PREDICTIONS_FILE} cannot be read: Permission denied\. "):
        made.export(form)


@FORMATS
def test_lines_are_read_one_by_one(made, form, monkeypatch):
    """No format may ask for a list: a run of 700,000 images has to go through."""
    alive = 0

    class Counted(Box):
        def __init__(self, *values):
            super().__init__(*values)
            nonlocal alive
            alive += 1
            assert alive < 5

        def __del__(self):
            nonlocal alive
            alive -= 1

    def many(self):
        for number in range(100):
            yield Record(f"{number}.jpg", "00", (30, 40), (Counted("cat", 0.5, (1, 2, 3, 4), "x"),))

    monkeypatch.setattr("artdet.runs.Run.records", many)
    assert made.export(form).images == 100
