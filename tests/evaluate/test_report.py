"""The report on made-up figures: what it says, what it must never ask for, and that names cannot break it."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from artdet.errors import RunError
from artdet.evaluate.report import Scene, write_report
from artdet.evaluate.results import (
    Confusion,
    Curve,
    Difference,
    ErrorType,
    Estimate,
    LevelResult,
    Mistake,
    Reliability,
    Report,
    Row,
    RunResult,
)
from artdet.runs import Box
from artdet.taxonomy import Taxonomy

NASTY = '<script>alert("x")</script>&.jpg'
VOID = {"meta", "img", "br", "path", "line", "use"}


def estimate(value: float | None) -> Estimate:
    return Estimate(None) if value is None else Estimate(value, max(0.0, value - 0.03), min(1.0, value + 0.03))


def row(name: str, value: float | None, truths: int = 40) -> Row:
    if value is None:
        return Row(name, 90, 0, 5, estimate(None), estimate(None), estimate(None))
    return Row(
        name,
        90,
        truths,
        3 * truths,
        estimate(value / 2),
        estimate(value),
        estimate(value * 0.6),
        ap50_voc=value + 0.01,
        ap_small=None,
        ap_medium=value / 3,
        ap_large=value / 2,
        ar1=value / 3,
        ar10=value / 2,
        ar100=value / 1.5,
        best_score=0.37,
        best_f1=value,
        precision=min(1.0, value + 0.05),
        recall=value,
        ece=0.08,
    )


def curve(name: str, value: float) -> Curve:
    recall = np.linspace(0.01, min(1.0, value + 0.2), 60)
    precision = np.clip(1.15 - recall**2 / value + 0.03 * np.sin(40 * recall), 0.02, 1)
    return Curve(name, tuple(recall), tuple(precision), tuple(np.linspace(0.97, 0.02, 60)))


def made_mistakes(files: list[str], labels: tuple[str, ...], number: int) -> tuple[Mistake, ...]:
    made = []
    for index in range(number):
        file, label = files[index % len(files)], labels[index % len(labels)]
        made.append(Mistake("miss", file, label, None, (10, 5, 30, 25), "missed"))
        made.append(Mistake("false alarm", file, label, 0.9 - index / 50, (2, 3, 40, 28), "background"))
    return tuple(made)


def made_level(taxonomy: Taxonomy, level: str, *, styles: int, files: list[str], mistakes: int) -> LevelResult:
    categories = taxonomy.categories
    names = tuple(node.name for node in taxonomy.nodes if node.is_fine) if level == "fine" else categories
    values = {name: 0.15 + 0.75 * ((index * 7) % 11) / 11 for index, name in enumerate(names)}
    known = [name for name in names if name not in ("duck", "meat")]
    rng = np.random.default_rng(5)
    counts = rng.integers(0, 9, (len(names) + 1, len(names) + 1)) * (rng.random((len(names) + 1,) * 2) < 0.3)
    counts[np.diag_indices(len(names))] = rng.integers(10, 1200, len(names))
    counts[-1, -1] = 0
    for name in set(names) - set(known):
        counts[names.index(name)] = 0
        counts[:, names.index(name)] = 0
    bins = np.linspace(0, 1, 11)
    return LevelResult(
        level=level,
        overall=row("all", 0.6581, 2733),
        classes=tuple(
            row(name, values[name] if name in known else None, 900 // (i + 1)) for i, name in enumerate(names)
        ),
        categories=tuple(row(name, 0.5) for name in categories),
        by={"style": tuple(row(f"Stil {i:02} – Ποπ", 0.3 + i / 100, 60 - i) for i in range(styles))} if styles else {},
        curves=tuple(curve(name, values[name]) for name in known),
        reliability=Reliability(
            "all",
            tuple(bins),
            (52000, 8200, 3100, 1400, 900, 640, 500, 430, 380, 0),
            (*(bins[:9] + 0.04), None),
            (*(bins[:9] * 0.8), None),
            0.083,
        ),
        confusion=Confusion((*names, "background"), tuple(tuple(map(int, line)) for line in counts), 0.37),
        errors=tuple(
            ErrorType(name, number, cost)
            for name, number, cost in [
                ("class", 120, 0.031),
                ("localisation", 340, 0.082),
                ("both", 20, 0.004),
                ("duplicate", 9, 0.0),
                ("background", 410, 0.051),
                ("missed", 700, 0.121),
            ]
        ),
        mistakes=made_mistakes(files, ("angel", "ship") if level == "fine" else ("persons", "structures"), mistakes),
    )


def made_report(
    taxonomy: Taxonomy,
    root: Path,
    *,
    runs: int = 2,
    styles: int = 43,
    files: tuple[str, ...] = ("Ægidius – Ζωή.jpg",),
    mistakes: int = 1,
) -> Report:
    names = [f"run{i + 1}" for i in range(runs)]
    results = tuple(
        RunResult(
            name,
            f"/runs/{name}",
            str(root),
            "default",
            f"min_score 0.{i}",
            {
                level: made_level(taxonomy, level, styles=styles, files=list(files), mistakes=mistakes)
                for level in ("fine", "coarse")
            },
        )
        for i, name in enumerate(names)
    )
    offsets = {"all": (0.02, 0.01, 0.03), "angel": (-0.04, -0.06, -0.01), "ship": (0.003, -0.02, 0.02)}
    differences = tuple(
        Difference(names[0], second, level, group, metric, Estimate(*values))
        for second in names[1:]
        for level in ("fine", "coarse")
        for group, values in offsets.items()
        for metric in ("ap", "ap50", "ap75")
    )
    notes = ("3 images have no truth and were left out: a.jpg, b.jpg, c.jpg.",)
    versions = {"artdet": "0.1.0", "faster-coco-eval": "1.7.2"}
    return Report("People-Art", "/data/pa", 1868, notes, 1000, results, differences, versions)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    root = tmp_path / "images"
    root.mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (40, 64, 3), dtype=np.uint8)
    for name in ("Ægidius – Ζωή.jpg", "plain.jpg"):
        Image.fromarray(pixels).save(root / name)
    return root


def scene_of(run: RunResult, mistake: Mistake) -> Scene | None:
    path = Path(run.root) / mistake.file
    truth = (Box("angel", 1.0, (10, 5, 30, 25), ""), Box("mary", 1.0, (40, 5, 60, 25), ""))
    found = (Box("ship", 0.9, (2, 3, 40, 28), "m"),)
    return Scene(path, (40, 64), truth, found)


def written(report: Report, path: Path, taxonomy: Taxonomy, **options: object) -> str:
    write_report(report, path, taxonomy=taxonomy, **options)
    return path.read_text(encoding="utf-8")


class Page(HTMLParser):
    """Tags with their attributes, ids, the text outside of style and script, and whether tags nest."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def words(page: Page) -> str:
    return re.sub(r"\s+", " ", page.text)


def empty_report() -> Report:
    nothing = row("all", None)
    level = LevelResult(
        "fine",
        replace(nothing, found=0, images=0),
        (),
        (),
        {},
        (),
        Reliability("all", (0.0, 0.5, 1.0), (0, 0), (None, None), (None, None), None),
        Confusion(("background",), ((0,),), 0.5),
        (),
        (),
    )
    return Report("truth", "/t", 0, (), 0, (RunResult("r", "/r", "/i", "e", "", {"fine": level}),), (), {})


def test_report_of_nothing_says_so(tmp_path: Path, taxonomy: Taxonomy) -> None:
    page = Page(written(empty_report(), tmp_path / "report.html", taxonomy))
    assert "There is no true box at this level" in page.text
    assert "Without bootstrap" in page.text
    assert not page.wrong
    assert not page.open


def test_page_is_whole_and_well_formed(tmp_path: Path, taxonomy: Taxonomy, images: Path) -> None:
    html = written(made_report(taxonomy, images), tmp_path / "report.html", taxonomy, scene=scene_of)
    page = Page(html)
    assert html.startswith("<!DOCTYPE html>")
    assert (page.wrong, page.open) == ([], [])
    assert page.all("html")[0]["lang"] == "en"
    assert len(page.all("title")) >= 1
    assert any(meta.get("name") == "viewport" for meta in page.all("meta"))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    for target in [a["href"] for a in page.all("a")]:
        assert str(target)[1:] in ids
    headings = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert headings[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(headings))


def test_nothing_is_asked_of_the_network(tmp_path: Path, taxonomy: Taxonomy, images: Path) -> None:
    html = written(made_report(taxonomy, images), tmp_path / "report.html", taxonomy, scene=scene_of)
    page = Page(html)
    for tag, attributes in page.tags:
        for name in ("src", "href", "srcset", "data", "action", "poster", "xlink:href"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:image/jpeg;base64,")), (tag, name, value)
    assert not page.all("link")
    assert "@import" not in html
    assert set(re.findall(r"url\((.)", html)) <= {"#"}
    assert not re.search(r"https?://", html)
    policy = next(m["content"] for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert str(policy).startswith("default-src 'none'; img-src data:;")


def test_a_level_shows_what_was_measured(tmp_path: Path, taxonomy: Taxonomy, images: Path) -> None:
    report = made_report(taxonomy, images, runs=1)
    page = Page(written(report, tmp_path / "report.html", taxonomy, scene=scene_of, command="artdet evaluate a <b>"))
    text = words(page)
    # 0.6581 of true boxes found, rounded to tenths; 0.7081 of the found ones right.
    assert "it finds 7 of 10 objects (recall 0.66 of 2,733 true boxes), and 7 of 10 of the boxes" in text
    assert "AP50 0.66 [0.63–0.69], AP75 0.39 [0.36–0.42] and AP 0.33 [0.30–0.36]." in text
    assert (
        "Most AP is lost by the error “missed” (a true object without any box): mending it alone would add 0.121"
        in text
    )
    assert "next come “localisation” 0.082 and “background” 0.051." in text
    assert "Stil 42 – Ποπ" in text
    assert "AP small" not in [*re.findall(r"AP small", text.split("Words")[0])]
    assert "artdet evaluate a <b>" in text
    assert "faster-coco-eval 1.7.2" in text
    assert report.notes[0] in text
    assert "Side by side" not in text


@pytest.mark.parametrize(
    ("metric_value", "sign", "sentence"),
    [
        (Estimate(0.02, 0.01, 0.03), "▲", "AP50 +0.020 [+0.010 to +0.030], clearly higher."),
        (Estimate(-0.02, -0.03, -0.01), "▼", "AP50 −0.020 [−0.030 to −0.010], clearly lower."),
        (Estimate(0.02, -0.01, 0.03), "≈", "AP50 +0.020 [−0.010 to +0.030], no clear difference."),
        (Estimate(0.02), "", "AP50 +0.020 (without an interval nobody can say whether that is chance)."),
        (Estimate(None), "", "AP50 cannot be compared."),
    ],
    ids=["above", "below", "around", "no interval", "none"],
)
def test_differences_are_marked(
    tmp_path: Path, taxonomy: Taxonomy, metric_value: Estimate, sign: str, sentence: str
) -> None:
    report = made_report(taxonomy, tmp_path, styles=0, mistakes=0)
    one = Difference("run1", "run2", "fine", "all", "ap50", metric_value)
    page = Page(written(replace(report, differences=(one,)), tmp_path / "report.html", taxonomy))
    assert f"run2 against run1, fine level: {sentence}" in words(page)
    # Two legends of signs stand below the table; a cell adds its own.
    cells = [attributes for attributes in page.all("span") if attributes.get("role") == "img"]
    assert len(cells) == bool(sign)


def test_the_same_report_gives_the_same_bytes(tmp_path: Path, taxonomy: Taxonomy, images: Path) -> None:
    report = made_report(taxonomy, images)
    for name in ("a.html", "b.html"):
        write_report(report, tmp_path / name, taxonomy=taxonomy, scene=scene_of)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_names_cannot_become_markup(tmp_path: Path, taxonomy: Taxonomy, images: Path) -> None:
    report = made_report(taxonomy, images, files=(NASTY,), styles=1)
    run = report.runs[0]
    level = replace(
        run.levels["fine"],
        by={NASTY: (row(NASTY, 0.4),)},
        classes=(row(NASTY, 0.5),),
        curves=(curve(NASTY, 0.5),),
        confusion=Confusion((NASTY, "background"), ((1, 2), (3, 0)), 0.5),
        errors=(ErrorType(NASTY, 1, 0.2),),
    )
    run = replace(run, name=NASTY, folder=NASTY, root=NASTY, ensemble=NASTY, settings=NASTY, levels={"fine": level})
    report = replace(
        report,
        runs=(run,),
        truth=NASTY,
        truth_root=NASTY,
        notes=(NASTY,),
        versions={NASTY: NASTY},
        differences=(Difference(NASTY, NASTY, "fine", NASTY, NASTY, Estimate(0.1, 0.0, 0.2)),),
    )
    shot = Image.fromarray(np.zeros((40, 64, 3), dtype=np.uint8))
    safe = tmp_path / "shown.jpg"
    shot.save(safe)

    def scene(run: RunResult, mistake: Mistake) -> Scene:
        return Scene(safe, (40, 64), (Box(NASTY, 1.0, (10, 5, 30, 25), NASTY),), (Box(NASTY, 0.5, (2, 3, 40, 28), ""),))

    page = Page(written(report, tmp_path / "report.html", taxonomy, scene=scene, command=NASTY))
    assert len(page.all("script")) == 1
    assert page.text.count(NASTY) > 10
    assert (page.wrong, page.open) == ([], [])
    assert all(not name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert NASTY in str(page.all("img")[0]["alt"])


def test_a_file_name_that_is_no_text_can_be_written(tmp_path: Path, taxonomy: Taxonomy) -> None:
    report = made_report(taxonomy, tmp_path, runs=1, styles=0, files=("b\udcfcrg.jpg",))
    assert "b\\udcfcrg.jpg" in written(report, tmp_path / "report.html", taxonomy)


def test_pictures_that_are_gone_are_counted(tmp_path: Path, taxonomy: Taxonomy, images: Path) -> None:
    report = made_report(taxonomy, images, runs=1, styles=0, files=("plain.jpg", "gone.jpg", "moved.jpg"), mistakes=3)

    def scene(run: RunResult, mistake: Mistake) -> Scene | None:
        return None if mistake.file == "moved.jpg" else scene_of(run, mistake)

    page = Page(written(report, tmp_path / "report.html", taxonomy, scene=scene))
    assert (
        page.text.count("2 of 3 pictures cannot be shown: 1 not at hand, 1 unreadable.") == 4
    )  # two kinds, two levels
    assert len(page.all("img")) == 4
    assert "moved.jpg" in page.text


def test_without_scenes_there_are_no_pictures(tmp_path: Path, taxonomy: Taxonomy) -> None:
    page = Page(written(made_report(taxonomy, tmp_path, runs=1, styles=0), tmp_path / "report.html", taxonomy))
    assert not page.all("img")
    assert "1 of 1 picture cannot be shown: 1 not at hand." in page.text


def test_confusion_leaves_out_what_is_empty_and_says_so(tmp_path: Path, taxonomy: Taxonomy) -> None:
    page = Page(written(made_report(taxonomy, tmp_path, runs=1, styles=0), tmp_path / "report.html", taxonomy))
    assert "not shown: duck, meat." in words(page)


@pytest.mark.parametrize("number", [12, 24], ids=["48 pictures", "96 pictures"])
def test_report_stays_small(tmp_path: Path, taxonomy: Taxonomy, number: int) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((800, 600), Image.Resampling.BICUBIC).save(tmp_path / "noise.png")
    report = made_report(taxonomy, tmp_path, runs=1, styles=43, files=("noise.png",), mistakes=number)

    def scene(run: RunResult, mistake: Mistake) -> Scene:
        return Scene(tmp_path / "noise.png", (600, 800), (), ())

    big = tuple(replace(each, box=(100, 100, 500, 400)) for each in report.runs[0].levels["fine"].mistakes)
    levels = {key: replace(level, mistakes=big) for key, level in report.runs[0].levels.items()}
    report = replace(report, runs=(replace(report.runs[0], levels=levels),))
    write_report(report, tmp_path / "report.html", taxonomy=taxonomy, scene=scene)
    assert 200_000 < (tmp_path / "report.html").stat().st_size < 3_000_000


@pytest.mark.slow
def test_page_in_a_browser(tmp_path: Path, taxonomy: Taxonomy, images: Path) -> None:
    """On a phone nothing but the tables scrolls sideways; columns sort, empty ones last; nothing is requested."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("needs Chromium")
    playwright = pytest.importorskip("playwright.sync_api")
    report = tmp_path / "report.html"
    write_report(made_report(taxonomy, images), report, taxonomy=taxonomy, scene=scene_of)
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 360, "height": 740}, color_scheme="dark")
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: said.append(request.url) if request.url.startswith("http") else None)
        page.goto(report.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        table = page.locator("#run1-fine ~ .scroll table[data-sortable]").first
        before = table.locator("tbody th").all_inner_texts()
        orders = []
        for _ in range(3):
            table.locator("thead th").nth(1).get_by_role("button").click()
            orders.append(
                (
                    table.locator("thead th").nth(1).get_attribute("aria-sort"),
                    table.locator("tbody th").all_inner_texts(),
                )
            )
        browser.close()
    values = {row.name: row.ap50.value for row in made_report(taxonomy, images).runs[0].levels["fine"].classes}
    falling = [values[name] for name in orders[0][1]]
    assert falling == [*sorted((v for v in falling if v is not None), reverse=True), None, None]
    assert [values[name] for name in orders[1][1]][:-2] == sorted(v for v in falling if v is not None)
    assert [order[0] for order in orders] == ["descending", "ascending", None]
    assert orders[2][1] == before
    assert said == []


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path, taxonomy: Taxonomy) -> None:
    with pytest.raises(RunError, match="cannot be written"):
        write_report(empty_report(), tmp_path / "no" / "report.html", taxonomy=taxonomy)
