"""`artdet predict` and what follows it, as a user calls them, on the example paintings with the bundled weights."""

import json
import os
import shutil

import pytest
from PIL import Image

from artdet.boxes import ious
from artdet.resources import shipped
from artdet.runs import open_run

PAINTINGS = shipped("examples", "paintings")


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A run over all example paintings, as `make demo` makes it."""
    from artdet.__main__ import run

    folder = tmp_path_factory.mktemp("demo") / "run"
    assert run(["predict", str(PAINTINGS), "--out", str(folder), "--draw", "--keep-members"]) == 0
    return folder


def boxes(demo, name, label):
    record = next(record for record in open_run(demo).records() if record.file == name)
    return [box.box for box in record.detections if box.label == label]


def test_all_paintings_are_processed_and_drawn(demo):
    records = list(open_run(demo).records())
    assert len(records) == 22
    assert [record.error for record in records] == [None] * 22
    pictures = sorted((demo / "pictures").iterdir())
    assert [path.name for path in pictures] == [record.file for record in records]
    for path in pictures:
        with Image.open(path) as picture:
            assert max(picture.size) >= 400


@pytest.mark.parametrize(
    ("name", "label", "truth", "least"),
    [
        pytest.param("leonardo_mona_lisa.jpg", "persons", [23, 30, 314, 492], 0.8, id="Mona Lisa"),
        pytest.param("leonardo_mona_lisa.jpg", "faces", [110, 53, 189, 173], 0.5, id="her face"),
        pytest.param("renoir_girls_at_the_piano.jpg", "faces", [152, 97, 206, 152], 0.5, id="Renoir's girl"),
        pytest.param("cassatt_summertime.jpg", "persons", [364, 133, 511, 278], 0.5, id="Cassatt's girl"),
    ],
)
def test_who_is_seen_is_found(demo, name, label, truth, least):
    found = boxes(demo, name, label)
    assert found, f"no {label} in {name}"
    assert ious([truth], found).max() > least


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("hokusai_kazusa_sea_route.jpg", "ship"),
        ("bellini_pesaro_altarpiece_detail.jpg", "building"),
        ("cassatt_summertime.jpg", "water_body"),
        ("arcimboldo_spring.jpg", "flower"),
    ],
    ids=["ship", "castle", "lake", "flowers"],
)
def test_what_is_round_people_is_found_too(demo, name, label):
    assert boxes(demo, name, label)


def test_people_are_found_in_crowds(demo):
    assert len(boxes(demo, "bruegel_harvesters.jpg", "persons")) >= 2
    assert len(boxes(demo, "renoir_moulin_de_la_galette.jpg", "faces")) >= 4


def test_members_are_kept_beside_the_fused_boxes(demo):
    for record in open_run(demo).records():
        assert set(record.members) == {"persons", "objects", "faces"}
        assert len(record.detections) <= sum(map(len, record.members.values()))


def test_a_finished_run_is_not_run_again(demo, artdet):
    before = (demo / "predictions.jsonl").read_bytes()
    ran = artdet("predict", PAINTINGS, "--out", demo, "--keep-members", "--json")
    assert ran.status == 0
    summary = json.loads(ran.out)
    assert (summary["images"], summary["computed_now"]) == (22, 0)
    assert summary["boxes"]["persons"] > 10
    assert (demo / "predictions.jsonl").read_bytes() == before


def test_another_configuration_is_refused_and_overwrite_starts_anew(artdet, tmp_path, persons_only):
    arguments = ["predict", PAINTINGS / "leonardo_mona_lisa.jpg", "--ensemble", persons_only, "--out", tmp_path / "run"]
    assert artdet(*arguments).status == 0
    refused = artdet(*arguments, "--min-score", "0.5")
    assert refused.status == 1
    assert "min_score was None and is now 0.5" in refused.err
    assert artdet(*arguments, "--min-score", "0.5", "--overwrite").status == 0


@pytest.mark.parametrize("form", ["coco", "csv", "yolo", "voc"])
def test_a_run_is_exported(demo, artdet, form, tmp_path):
    ran = artdet("export", demo, "--format", form, "--out", tmp_path / form)
    assert ran.status == 0
    paths = ran.out.split()
    assert paths
    for path in paths:
        assert os.path.exists(path), path


def test_the_batch_and_the_order_of_work_change_no_result(artdet, tmp_path, persons_only):
    lines = []
    for batch in (1, 5):
        out = tmp_path / f"run{batch}"
        assert artdet("predict", PAINTINGS, "--ensemble", persons_only, "--out", out, "--batch", batch).status == 0
        lines.append((out / "predictions.jsonl").read_bytes())
    assert lines[0] == lines[1]


def test_a_mixed_folder_is_told_whole(artdet, tmp_path, persons_only):
    folder = tmp_path / "scans of 'Dürer'"
    folder.mkdir()
    shutil.copy(PAINTINGS / "durer_lion.jpg", folder / 'löwe "1".jpg')
    shutil.copy(PAINTINGS / "durer_lion.jpg", folder / "löwe 2.jpg")
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "renamed.png").write_text("a text")
    (folder / "notes.txt").write_text("notes")
    content = (PAINTINGS / "leonardo_mona_lisa.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(content[: len(content) // 2])
    ran = artdet("predict", folder, "--ensemble", persons_only, "--out", tmp_path / "run", "--json", "--draw")
    summary = json.loads(ran.out)
    assert ran.status == 0
    assert (summary["images"], summary["copies_now"], summary["partly_read"]) == (3, 1, 1)
    assert summary["failures"] == {"empty file": 1, "not an image": 1}
    assert summary["skipped_files"] == {".txt": 1}
    assert len(list((tmp_path / "run" / "pictures").iterdir())) == 3
    text = artdet("predict", folder, "--ensemble", persons_only, "--out", tmp_path / "run").out
    assert "2 files could not be read: 1 empty file, 1 not an image" in text


def test_what_failed_is_tried_again_when_asked(artdet, tmp_path, persons_only):
    folder = tmp_path / "scans"
    folder.mkdir()
    shutil.copy(PAINTINGS / "durer_lion.jpg", folder / "a.jpg")
    (folder / "b.jpg").write_bytes(b"")
    arguments = ["predict", folder, "--ensemble", persons_only, "--out", tmp_path / "run", "--json"]
    assert json.loads(artdet(*arguments).out)["failures"] == {"empty file": 1}
    shutil.copy(PAINTINGS / "leonardo_mona_lisa.jpg", folder / "b.jpg")
    assert json.loads(artdet(*arguments).out)["computed_now"] == 0
    summary = json.loads(artdet(*arguments, "--retry-failed").out)
    assert (summary["failures"], summary["images"], summary["computed_now"]) == ({}, 2, 1)


def test_the_default_folder_is_named_after_the_pictures(artdet, tmp_path, persons_only, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert artdet("predict", PAINTINGS, "--ensemble", persons_only, "--limit", 1).status == 0
    assert (tmp_path / "runs/predict/paintings-persons/predictions.jsonl").is_file()


def test_several_views(artdet, tmp_path, persons_only, monkeypatch):
    monkeypatch.chdir(tmp_path)
    image = PAINTINGS / "leonardo_mona_lisa.jpg"
    arguments = ["predict", image, "--ensemble", persons_only, "--json"]
    plain = json.loads(artdet(*arguments).out)
    several = json.loads(artdet(*arguments, "--tta").out)
    assert several["run"] == f"{plain['run']}-tta"
    found = []
    for summary in (plain, several):
        run = open_run(tmp_path / summary["run"])
        found.append(next(run.records()).detections[0])
        views = run.info["ensemble"]["members"][0]["tta"]
        assert (views is not None) == (summary is several)
    assert {box.source for box in found} == {"persons"}
    assert found[0].box != found[1].box
    assert ious([found[0].box], [found[1].box]).item() > 0.85
    refused = artdet(*arguments, "--tta", "--out", plain["run"])
    assert refused.status == 1
    assert "members.0.tta was None and is now {'flip': True" in refused.err


def test_views_are_refused_where_no_member_takes_them(artdet, tmp_path):
    path = tmp_path / "faces.yaml"
    path.write_text("members: [{name: faces, detector: faces}]")
    refused = artdet("predict", PAINTINGS, "--ensemble", path, "--out", tmp_path / "run", "--tta")
    assert refused.status == 1
    assert "has no member that test-time augmentation is for" in refused.err
    assert not (tmp_path / "run").exists()


def test_limit_and_globs(artdet, tmp_path, persons_only):
    pattern = str(PAINTINGS / "hokusai_*.jpg")
    summary = json.loads(
        artdet(
            "predict", pattern, PAINTINGS / "durer_lion.jpg",
            "--ensemble", persons_only, "--out", tmp_path / "run", "--limit", 4, "--json",
        ).out
    )  # fmt: skip
    assert summary["images"] == 4
    files = [record.file for record in open_run(tmp_path / "run").records()]
    assert files[0] == "durer_lion.jpg"
    assert all(file.startswith("hokusai_") for file in files[1:])
