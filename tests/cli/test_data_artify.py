"""``artdet data artify``: trees of pictures, and what is never overwritten."""

import numpy as np
import pytest
from PIL import Image

from artdet.data import artify_files


def tree(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_mirrored_tree(artdet, make_pictures, tmp_path):
    root, out = make_pictures("a.jpg", "deep/b.PNG", "deep/b.jpeg", "deep/c.webp"), tmp_path / "out"
    originals = tree(root)
    ran = artdet("data", "artify", root, "--out", out, "--recursive", "--grey", "0", "--effect", "oil-painting")
    assert (ran.status, ran.out) == (0, f"4 pictures made: 4 oil painting\npictures: {out}\n")
    assert list(tree(out)) == ["a.jpg", "artify.json", "deep/b.jpg", "deep/b.png", "deep/c.jpg"]
    assert tree(root) == originals
    for file, name, form in (("a.jpg", "a.jpg", "JPEG"), ("deep/b.PNG", "deep/b.png", "PNG")):
        with Image.open(root / file) as before, Image.open(out / name) as after:
            assert (after.size, after.format) == (before.size, form)


def test_again_makes_only_what_is_missing(artdet, make_pictures, tmp_path):
    root, out = make_pictures("a.jpg", "b.jpg", "c.jpg"), tmp_path / "out"
    command = ("data", "artify", root, "--out", out, "--variants", "2")
    assert artdet(*command).out.startswith("6 pictures made: ")
    whole = tree(out)
    (out / "b-2.jpg").unlink()
    ran = artdet(*command)
    assert ran.out.splitlines()[0].startswith("1 picture made: ")
    assert ran.out.splitlines()[1] == "5 were there already"
    assert tree(out) == whole


def test_a_stop_is_gone_on_from(artdet, make_pictures, tmp_path, monkeypatch):
    root, out, written = make_pictures("a.jpg", "b.jpg", "c.jpg"), tmp_path / "out", []
    write = artify_files.write_picture

    def stops(path, image, *, quality):
        if written:
            raise KeyboardInterrupt
        written.append(path)
        write(path, image, quality=quality)

    monkeypatch.setattr(artify_files, "write_picture", stops)
    ran = artdet("data", "artify", root, "--out", out)
    assert ran.status == 130
    monkeypatch.setattr(artify_files, "write_picture", write)
    assert len(tree(out)) == 2
    assert "1 were there already" in artdet("data", "artify", root, "--out", out).out
    assert len(tree(out)) == 4


def test_options_reach_the_pictures(artdet, make_pictures, tmp_path):
    root = make_pictures("a.jpg")
    ran = artdet("data", "artify", root, "--out", tmp_path / "o", "--probability", 0, "--grey", 1, "--max-side", 25)
    assert ran.out.startswith("1 picture made: 1 unchanged, 1 of all in grey\n")
    with Image.open(tmp_path / "o" / "a.jpg") as picture:
        pixels = np.asarray(picture).astype(int)
    assert pixels.shape == (15, 25, 3)
    assert np.abs(pixels[..., 0] - pixels[..., 2]).max() <= 1
    photo = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(photo).save(root / "a.jpg")
    for seed in (0, 1):
        artdet("data", "artify", root, "--out", tmp_path / f"seed{seed}", "--seed", seed)
    assert (tmp_path / "seed0" / "a.jpg").read_bytes() != (tmp_path / "seed1" / "a.jpg").read_bytes()


def test_damaged_files_are_said(artdet, make_pictures, tmp_path):
    root = make_pictures("a.jpg", "b.jpg")
    (root / "b.jpg").write_bytes(b"")
    ran = artdet("data", "artify", root, "--out", tmp_path / "out")
    assert ran.status == 0
    assert "1 could not be read: 1 empty file\n  b.jpg: " in ran.out
    assert list(tree(tmp_path / "out")) == ["a.jpg", "artify.json"]


def test_results_inside_the_folder_are_not_taken_for_photographs(artdet, make_pictures):
    root = make_pictures("a.jpg")
    command = ("data", "artify", root, "--recursive", "--out", root / "art")
    assert artdet(*command).out.startswith("1 picture made")
    ran = artdet(*command)
    assert ran.out.startswith("0 pictures made\n1 were there already")
    assert "passed over, because they lie in" in ran.err
    assert list(tree(root)) == ["a.jpg", "art/a.jpg", "art/artify.json"]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("{photos}",), 2, "Missing option '--out'"),
        (("{photos}", "--out", "{photos}"), 1, "All photographs lie in"),
        (("{photos}", "--out", "{foreign}"), 1, "a.jpg is there already, and not from here. Name another folder"),
        (("{photos}", "--out", "{made}", "--seed", "5"), 1, "holds pictures made with other settings"),
        (("{photos}", "--out", "{broken}"), 1, "artify.json cannot be read. Name another folder"),
        (("{photos}", "--out", "{new}", "--effect", "oil"), 2, "'oil' is not one of"),
        (("{photos}", "--out", "{new}", "--grey", "2"), 2, "--grey"),
        (
            ("{photos}", "--out", "{new}", "--effect", "neural"),
            2,
            "--effect neural and --styles FOLDER belong together",
        ),
        (("{photos}", "--out", "{new}", "--styles", "{foreign}"), 2, "belong together"),
        (("{photos}-none", "--out", "{new}"), 1, "There is no"),
    ],
)
def test_errors(artdet, make_pictures, tmp_path, arguments, status, said):
    places = {name: tmp_path / name for name in ("foreign", "made", "broken", "new")}
    places["photos"] = make_pictures("a.jpg")
    make_pictures("a.jpg", folder="foreign")
    places["broken"].mkdir()
    (places["broken"] / "artify.json").write_text("{")
    artdet("data", "artify", places["photos"], "--out", places["made"])
    before = tree(tmp_path)
    ran = artdet("data", "artify", *(argument.format(**places) for argument in arguments))
    assert (ran.status, ran.out) == (status, "")
    assert said in ran.err
    assert "Traceback" not in ran.err
    assert tree(tmp_path) == before
