"""``artdet evaluate`` as a user types it."""

import json
from pathlib import Path

import pytest
from PIL import Image

from artdet.runs import PREDICTIONS_FILE, Box, Record, write_info
from artdet.taxonomy import Taxonomy

SIZE = (120, 200)
BOX = (10.0, 10.0, 50.0, 50.0)


@pytest.fixture
def made(tmp_path):
    """A truth of two images in COCO's format, and a run of them."""
    cat = Taxonomy.load().names.index("cat")
    truth = tmp_path / "truth"
    truth.mkdir()
    for name in ("a.png", "b.png"):
        Image.new("RGB", SIZE[::-1], (90, 120, 60)).save(truth / name)
    image = {"height": SIZE[0], "width": SIZE[1]}
    images = [{"id": i, "file_name": f"{name}.png", "style": name.upper(), **image} for i, name in enumerate("ab")]
    boxes = [{"id": 1, "image_id": 0, "category_id": cat, "bbox": [10, 10, 40, 40], "area": 1600, "iscrowd": 0}]
    categories = [{"id": i, "name": name} for i, name in enumerate(Taxonomy.load().names)]
    (truth / "boxes.json").write_text(json.dumps({"images": images, "annotations": boxes, "categories": categories}))
    return truth / "boxes.json", run_of(tmp_path / "run", truth)


def run_of(folder: Path, root: Path, files=("a.png", "b.png"), label="cat") -> Path:
    folder.mkdir()
    write_info(folder, {"root": str(root), "ensemble_name": "made"})
    records = [Record(file, "ab", SIZE, (Box(label, 0.8, BOX, "x"),)) for file in files]
    (folder / PREDICTIONS_FILE).write_text("".join(f"{record.as_line()}\n" for record in records))
    return folder


def test_writes_tables_metrics_and_report(artdet, made, tmp_path):
    truth, run = made
    ran = artdet("evaluate", run, "--truth", truth, "--out", tmp_path / "out", "--by", "style", "--bootstrap", 50)
    assert ran.status == 0, ran.err
    assert "boxes: 2 images, 1 true boxes" in ran.out
    assert "coarse, by style" in ran.out
    metrics, report = ran.out.splitlines()[-2:]
    fine = json.loads(Path(metrics).read_text())["runs"][0]["levels"]["fine"]
    cat = next(row for row in fine["classes"] if row["name"] == "cat")
    assert cat["ap50"]["value"] == pytest.approx(1.0)
    assert cat["found"] == 2
    html = Path(report).read_text()
    assert html.startswith("<!DOCTYPE html>")
    assert "data:image/jpeg;base64," in html


def test_two_runs_and_json(artdet, made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    truth, run = made
    other = run_of(tmp_path / "other", truth.parent, label="dog")
    ran = artdet(
        "evaluate", run, other, "--truth", truth, "--bootstrap", 50, "--no-report", "--json", "--level", "fine"
    )
    assert ran.status == 0, ran.err
    differences = {(d["group"], d["metric"]): d["estimate"]["value"] for d in json.loads(ran.out)["differences"]}
    assert differences["cat", "ap"] == pytest.approx(-1.0)
    assert Path("runs/evaluate/run_vs_other_on_boxes/metrics.json").is_file()
    assert not Path("runs/evaluate/run_vs_other_on_boxes/report.html").exists()


def test_says_what_it_left_out(artdet, made, tmp_path):
    truth, _ = made
    short = run_of(tmp_path / "short", truth.parent, files=("a.png", "c.png"))
    ran = artdet("evaluate", short, "--truth", truth, "--out", tmp_path / "out", "--no-report", "--bootstrap", 0)
    assert ran.status == 0
    assert "images of the truth that are not in short, left out: 1 of 2 (b.png)" in ran.err
    assert "images of short that are not in the truth, not counted: 1" in ran.err


def test_the_truths_own_oddities_are_said(artdet, made, tmp_path):
    truth, run = made
    data = json.loads(truth.read_text())
    data["annotations"] += [{**data["annotations"][0], "id": 2, "bbox": [190, 100, 40, 40]}]
    truth.write_text(json.dumps(data))
    ran = artdet("evaluate", run, "--truth", truth, "--out", tmp_path / "out", "--no-report", "--bootstrap", 0)
    assert "boxes: boxes that reach outside their image, cut at its border: 1 (a.png" in ran.err


def errors():
    """Name, the arguments made of run and truth, exit status, what the message says."""
    yield "no run", lambda run, truth: [run.parent / "nothing", "--truth", truth], 1, "is not a run folder"
    yield "no truth", lambda run, truth: [run, "--truth", truth.parent / "nothing"], 1, "nothing"
    yield "truth is required", lambda run, truth: [run], 2, "--truth"
    yield "no run named", lambda run, truth: ["--truth", truth], 2, "RUN"
    yield "unknown field", lambda run, truth: [run, "--truth", truth, "--by", "stile"], 1, "Did you mean 'style'?"
    yield "unknown level", lambda run, truth: [run, "--truth", truth, "--level", "middle"], 2, "middle"
    yield (
        "unknown label map",
        lambda run, truth: [run, "--truth", truth, "--label-map", "koko"],
        1,
        "no label map 'koko'",
    )
    yield "unknown format", lambda run, truth: [run, "--truth", truth, "--format", "pdf"], 1, "pdf"
    yield "no images there", lambda run, truth: [run, "--truth", truth, "--images", "/nowhere"], 1, "/nowhere"


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"), [case[1:] for case in errors()], ids=[case[0] for case in errors()]
)
def test_errors_are_sentences(artdet, made, tmp_path, arguments, status, sentence):
    truth, run = made
    ran = artdet("evaluate", *arguments(run, truth), "--out", tmp_path / "out")
    assert ran.status == status
    assert sentence in ran.err
    assert "Traceback" not in ran.err
    assert not (tmp_path / "out").exists()


def test_labels_of_another_taxonomy(artdet, made, tmp_path):
    truth, _ = made
    run = run_of(tmp_path / "foreign", truth.parent, label="unicorn")
    ran = artdet("evaluate", run, "--truth", truth, "--out", tmp_path / "out")
    assert (ran.status, "unicorn" in ran.err, "--taxonomy" in ran.err) == (1, True, True)


def test_another_truth_is_an_error(artdet, made, tmp_path):
    truth, _ = made
    run = run_of(tmp_path / "stranger", tmp_path / "elsewhere", files=("x.png",))
    ran = artdet("evaluate", run, "--truth", truth)
    assert ran.status == 1
    assert "No image of boxes" in ran.err


def test_never_overwrites_what_is_not_its_own(artdet, made, tmp_path):
    truth, run = made
    out = tmp_path / "out"
    out.mkdir()
    (out / "metrics.json").write_text('{"accuracy": 1}')
    ran = artdet("evaluate", run, "--truth", truth, "--out", out, "--no-report")
    assert ran.status == 1
    assert "--out" in ran.err
    assert (out / "metrics.json").read_text() == '{"accuracy": 1}'
    (out / "metrics.json").unlink()
    for _ in range(2):
        assert artdet("evaluate", run, "--truth", truth, "--out", out, "--bootstrap", 0).status == 0


def test_a_damaged_run_says_which_line(artdet, made, tmp_path):
    truth, run = made
    path = run / PREDICTIONS_FILE
    path.write_text("{}\n" + path.read_text())
    ran = artdet("evaluate", run, "--truth", truth)
    assert ran.status == 1
    assert "line 1 is damaged" in ran.err
