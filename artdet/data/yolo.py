"""YOLO: a text file per image with lines ``class cx cy w h``, all but the class as shares of width and height.

Label files lie where ultralytics looks for them (``labels`` in the place of ``images`` in the path), in ``labels`` with
the subfolders of the images, or beside the images. Lines with a polygon give its bounding box, a sixth number is a
score and passed over. An image without a label file counts as not annotated; training tools take it as empty.
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from artdet.data.listing import ImageFiles, files_below, only_listed, relative, split_extension, subfolder, text_of
from artdet.data.problems import Problems
from artdet.data.raw import RawBox, RawImage, RawSet
from artdet.data.settings import SourceFile
from artdet.errors import InputError

_YAML = (".yaml", ".yml")
_NAME_FILES = ("classes.txt", "obj.names", "_darknet.labels", "labels.txt", "predefined_classes.txt")
_LOOKED_AT = 50  # files, before recognises() gives up
_HEAD_CHARACTERS = 4096


@dataclass(frozen=True)
class _Names:
    """Class names of a source.

    Attributes:
        by_number: names by class number; ``None`` where the numbers themselves are the names.
        keypoints: whether what follows a box in its line are the joints of a body, not the corners of a polygon.
    """

    by_number: Mapping[int, str] | None
    keypoints: bool = False

    def of(self, number: int) -> str | None:
        if number < 0:
            return None
        return str(number) if self.by_number is None else self.by_number.get(number)


def recognises(path: Path) -> bool:
    """See :class:`artdet.data.raw.Reader`."""
    try:
        if path.is_dir():
            return any(_holds_labels(folder) for folder in _label_folders(path))
        content = _mapping(path.read_text(encoding="utf-8-sig")) if path.suffix.lower() in _YAML else {}
        return "names" in content and not {"train", "val", "nc"}.isdisjoint(content)
    except (OSError, ValueError):
        return False


def read(source: SourceFile, problems: Problems) -> RawSet:
    """See :class:`artdet.data.raw.Reader`."""
    folder = source.folder
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}. Check 'path' of the source.")
    root = folder / source.images if source.images is not None else subfolder(folder, "images") or folder
    files = ImageFiles.below(root)
    if not files:
        raise InputError(f"{root} holds no images. Name their folder with 'images'.")
    names = _names(source)
    labels = _label_files(source, root)
    places = _Places.of(source, root)
    images, used = [], set()
    for file in files.files:
        path = next((path for path in places.of_image(file) if path in labels), None)
        used.add(path)
        image = RawImage(file, annotated=False) if path is None else _image(file, path, source, names, problems)
        if image is not None:
            images.append(image)
    if not used & labels:
        raise InputError(f"No image in {root} has a label file. Name the folder of the labels with 'annotations'.")
    for path in sorted(labels - used):
        problems.add("missing_image", relative(path, folder))
    vocabulary = None if names.by_number is None else tuple(names.by_number[key] for key in sorted(names.by_number))
    return RawSet(root, only_listed(source, images, problems), vocabulary)


def _label_folders(path: Path) -> Iterator[Path]:
    """Folders in which labels may lie, the likely ones first."""
    labels = subfolder(path, "labels")
    if labels is not None:
        yield labels
        yield from itertools.islice((entry for entry in labels.iterdir() if entry.is_dir()), _LOOKED_AT)
    for inside in itertools.islice((entry for entry in path.iterdir() if entry.is_dir()), _LOOKED_AT):
        yield from filter(None, [subfolder(inside, "labels")])
        yield inside
    yield path


def _holds_labels(folder: Path) -> bool:
    """Whether a folder holds a label file; empty ones, which say "no boxes", count in a folder of that name only."""
    empty = False
    with os.scandir(folder) as entries:
        texts = (entry for entry in entries if entry.name.lower().endswith(".txt") and entry.is_file())
        for entry in itertools.islice(texts, _LOOKED_AT):
            with open(entry.path, encoding="utf-8-sig", errors="replace") as stream:
                text = stream.read(_HEAD_CHARACTERS)
            if _is_label_text(text):
                return True
            empty = empty or not text.strip()
    return empty and folder.name.lower() == "labels"


def _is_label_text(text: str) -> bool:
    line = next((line for line in text.splitlines() if _words(line)), "")
    words = _words(line)
    return len(words) >= 5 and words[0].isdigit() and _numbers(words[1:]) is not None


def _label_files(source: SourceFile, root: Path) -> set[Path]:
    """Every text file that can be a label file."""
    if source.annotations is not None:
        named = source.folder / source.annotations
        if not named.is_dir():
            raise InputError(f"There is no folder {named}. Check 'annotations' of the source.")
        return {path for path in files_below(named, ".txt") if _can_be_labels(path, beside=False)}
    return {
        path
        for folder in {source.folder, root}
        for path in files_below(folder, ".txt")
        if _can_be_labels(path, beside="labels" not in relative(path, folder).lower().split("/")[:-1])
    }


def _can_be_labels(path: Path, *, beside: bool) -> bool:
    """Whether a text is a label file and not a list of names, of images or a licence, as they lie beside images."""
    known = path.name.lower() in _NAME_FILES
    if not (known or beside):
        return True
    with path.open(encoding="utf-8-sig", errors="replace") as stream:
        text = stream.read(_HEAD_CHARACTERS)
    return _is_label_text(text) or not (known or text.strip())


@dataclass(frozen=True)
class _Places:
    """Where the label files of a source may lie.

    Attributes:
        labels: folder with the subfolders of the images.
        folder: that paths with ``images`` in them start from; ``None`` where ``labels`` is the only place.
        root: of the images.
    """

    labels: Path
    folder: Path | None
    root: Path

    @classmethod
    def of(cls, source: SourceFile, root: Path) -> _Places:
        if source.annotations is not None:
            return cls(source.folder / source.annotations, None, root)
        return cls(subfolder(source.folder, "labels") or source.folder / "labels", source.folder, root)

    def of_image(self, file: str) -> Iterator[Path]:
        """Places for the labels of one image, ``a.jpg.txt`` before ``a.txt``."""
        for name in (f"{file}.txt", f"{split_extension(file)[0]}.txt"):
            yield self.labels / name
            if self.folder is None:
                continue
            parts = list(Path(relative(self.root / name, self.folder)).parts)
            last = next((at for at in range(len(parts) - 2, -1, -1) if parts[at].lower() == "images"), None)
            if last is not None:
                yield self.folder.joinpath(*parts[:last], "labels", *parts[last + 1 :])
            yield self.root / name


def _image(file: str, path: Path, source: SourceFile, names: _Names, problems: Problems) -> RawImage | None:
    """The boxes of one label file; ``None``, with a problem noted, where it cannot be read."""
    where = relative(path, source.folder)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        problems.add("unreadable_annotation", where)
        return None
    boxes = []
    for number, line in enumerate(text.splitlines(), 1):
        words = _words(line)
        box = _box(words, names)
        if box is not None:
            boxes.append(box)
        elif words:
            problems.add("damaged_box", f"{where}:{number}")
    return RawImage(file, tuple(boxes), relative=True)


def _words(line: str) -> list[str]:
    return line.partition("#")[0].split()


def _numbers(words: list[str]) -> list[float] | None:
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        return None
    return numbers if all(map(math.isfinite, numbers)) else None


def _box(words: list[str], names: _Names) -> RawBox | None:
    """The box of a line; ``None`` where it is not of the format, or its class has no name."""
    numbers = _numbers(words)
    if numbers is None or len(numbers) < 5 or not numbers[0].is_integer():
        return None
    name = names.of(int(numbers[0]))
    shape = numbers[1:5] if len(numbers) <= 6 or names.keypoints else numbers[1:]
    if name is None or len(shape) % 2:
        return None
    if len(shape) == 4:
        cx, cy, width, height = shape
        return RawBox(name, (cx - width / 2, cy - height / 2, cx + width / 2, cy + height / 2))
    return RawBox(name, (min(shape[::2]), min(shape[1::2]), max(shape[::2]), max(shape[1::2])))


def _names(source: SourceFile) -> _Names:
    """The class names; the numbers serve as names where no file has any, or ``classes`` is empty.

    Raises:
        InputError: if the file that should have names has none.
    """
    if source.classes == "":
        return _Names(None)
    if source.classes is not None:
        return _names_of(source.folder / source.classes)
    path = Path(source.path)
    if path.is_file():
        return _names_of(path)
    path = next(_name_files(source.folder), path)
    return _names_of(path) if path.is_file() else _Names(None)


def _name_files(folder: Path) -> Iterator[Path]:
    """Files that name classes by their own names, those of YAML first."""
    there = sorted(entry for entry in folder.iterdir() if entry.is_file() and not entry.name.startswith("."))
    for entry in there:
        if entry.suffix.lower() in _YAML and "names" in _mapping(_text_of(entry)):
            yield entry
    places = [*there, *(entry for entry in (subfolder(folder, "labels") or folder).iterdir() if entry.is_file())]
    for name in _NAME_FILES:
        yield from (entry for entry in places if entry.name.lower() == name and not _is_label_text(_text_of(entry)))
    yield from (entry for entry in there if entry.suffix.lower() == ".names")


def _text_of(path: Path) -> str:
    return text_of(path, "The file of class names", "Check 'classes' of the source.")


def _mapping(text: str) -> Mapping[str, Any]:
    """Keys and values of a YAML text; none where it is not of that kind. All scalars are text, ``no`` too."""
    try:
        content = yaml.load(text, Loader=yaml.BaseLoader)
    except yaml.YAMLError:
        return {}
    return content if isinstance(content, dict) else {}


def _names_of(path: Path) -> _Names:
    text = _text_of(path)
    content = _mapping(text)
    named: Any = content.get("names")
    if not content and path.suffix.lower() not in _YAML:
        named = text.rstrip().splitlines()
    elif content and all(str(key).isdigit() for key in content):
        named = content
    by_number = _by_number(named)
    if not by_number:
        raise InputError(
            f"{path} holds no class names{_what_else(content)}. Name a file that does with 'classes' "
            "(a name a line, or YAML with 'names'), or set classes: \"\" to take the class numbers as names."
        )
    return _Names(by_number, keypoints="kpt_shape" in content)


def _by_number(named: Any) -> dict[int, str]:
    """Names by class number; empty where they are not given as a list or by number."""
    if isinstance(named, list):
        named = dict(enumerate(named))
    if not isinstance(named, dict) or not all(str(key).strip().isdigit() for key in named):
        return {}
    if not all(isinstance(name, str) for name in named.values()):
        return {}
    return {int(key): name.strip() or str(key) for key, name in named.items()}


def _what_else(content: Mapping[str, Any]) -> str:
    return f", but the settings {', '.join(list(content)[:4])}" if content else ""
