"""Pascal VOC: one xml file per image, below ``Annotations`` or beside the image.

VOC counts pixels from 1 and includes the last one, so a box has the edges ``xmin - 1`` and ``xmax``. Many tools write
edges from 0 instead; a set in which a box starts below 1 is read so.

Reference: Everingham et al., The Pascal Visual Object Classes (VOC) Challenge, IJCV 2010.
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from artdet.data.listing import (
    ImageFiles,
    Listed,
    files_below,
    image_list,
    relative,
    split_extension,
    subfolder,
)
from artdet.data.problems import Problems
from artdet.data.raw import RawBox, RawImage, RawSet
from artdet.data.settings import SourceFile
from artdet.errors import InputError

_ANNOTATIONS = ("annotations", "xmls", "xml")
_IMAGES = ("jpegimages", "images")
_EDGES = ("xmin", "ymin", "xmax", "ymax")
_HEAD_BYTES = 4096
_LOOKED_AT = 5000  # entries of folders, before recognises() gives up


class _DoctypeError(ValueError):
    """A document type declaration, by which entities come in; VOC has none."""


class _Builder(ElementTree.TreeBuilder):
    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise _DoctypeError


@dataclass(frozen=True)
class _Document:
    """One xml file.

    Attributes:
        name: its path below the annotations, without ``.xml``.
        filename: of the image, as it stands there; empty where it does not.
        boxes: with the corners as they stand there.
        odd: kinds of problem and where they were met, said only if the image is used.
        broken: whether nothing could be read.
    """

    name: str
    filename: str = ""
    size: tuple[int, int] | None = None
    boxes: tuple[RawBox, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    odd: tuple[tuple[str, str], ...] = ()
    broken: bool = False


def recognises(path: Path) -> bool:
    """See :class:`artdet.data.raw.Reader`."""
    try:
        first = next(_some_xml(subfolder(path, *_ANNOTATIONS) or path), None) if path.is_dir() else None
        return first is not None and _is_annotation(first)
    except (OSError, ValueError):
        return False


def read(source: SourceFile, problems: Problems) -> RawSet:
    """See :class:`artdet.data.raw.Reader`."""
    annotations, root = _places(source)
    files = ImageFiles.below(root)
    documents: dict[str, _Document] = {}
    repeated = []
    for path in files_below(annotations, ".xml"):
        document = _document(path, relative(path, annotations))
        file = _image_of(document, files)
        if documents.setdefault(file, document) is not document:
            repeated.append(relative(path, annotations))
    if not documents and source.image_list is None:
        raise InputError(f"{annotations} holds no xml files. Name their folder with 'annotations'.")
    for name in repeated:
        problems.add("duplicate_image", name)
    first = source.first_pixel if source.first_pixel is not None else _first_pixel(documents, problems)
    images = _images(source, ImageFiles([*files.files, *documents]), documents, problems)
    return RawSet(root, tuple(_shifted(image, first) for image in images), None)


def _places(source: SourceFile) -> tuple[Path, Path]:
    """Folders of the annotations and of the images."""
    folder = source.folder
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}. Check 'path' of the source.")
    named = None if source.annotations is None else folder / source.annotations
    if named is not None and not named.is_dir():
        raise InputError(f"There is no folder {named}. Check 'annotations' of the source.")
    images = None if source.images is None else folder / source.images
    return named or subfolder(folder, *_ANNOTATIONS) or folder, images or subfolder(folder, *_IMAGES) or folder


def _some_xml(folder: Path) -> Iterator[Path]:
    """The xml files of a folder and then of those inside, among the first entries only."""
    waiting, left = [folder], _LOOKED_AT
    while waiting and left > 0:
        with os.scandir(waiting.pop(0)) as entries:
            for entry in itertools.islice(entries, left):
                left -= 1
                if entry.name.lower().endswith(".xml") and not entry.name.startswith("."):
                    yield Path(entry.path)
                elif entry.is_dir() and not entry.name.startswith("."):
                    waiting.append(Path(entry.path))


def _is_annotation(path: Path) -> bool:
    with path.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
    return b"<annotation>" in head or b"<annotation " in head


def _document(path: Path, name: str) -> _Document:
    stem = name[: -len(".xml")]
    try:
        parser = ElementTree.XMLParser(target=_Builder())
        tree = ElementTree.parse(path, parser).getroot()
    except _DoctypeError:
        return _broken(stem, f"{name}: declares a document type")
    except OSError as error:
        return _broken(stem, f"{name}: {error.strerror}")
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        return _broken(stem, f"{name}: {error}")
    if tree.tag != "annotation":
        return _broken(stem, f"{name}: <{tree.tag}> and not <annotation>")
    boxes, odd = _objects(tree, name)
    style = _text(tree, "style")
    size = _size(tree)
    return _Document(stem, _text(tree, "filename"), size, boxes, {"style": style} if style else {}, odd)


def _broken(stem: str, why: str) -> _Document:
    return _Document(stem, odd=(("unreadable_annotation", why),), broken=True)


def _text(element: ElementTree.Element, path: str) -> str:
    return (element.findtext(path) or "").strip()


def _size(tree: ElementTree.Element) -> tuple[int, int] | None:
    height, width = (_number(tree, f"size/{name}") for name in ("height", "width"))
    return (round(height), round(width)) if height and width and height >= 1 and width >= 1 else None


def _number(element: ElementTree.Element, path: str) -> float | None:
    try:
        value = float(_text(element, path))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _objects(tree: ElementTree.Element, name: str) -> tuple[tuple[RawBox, ...], tuple[tuple[str, str], ...]]:
    boxes, odd = [], []
    for number, element in enumerate(tree.findall("object"), 1):
        label = _text(element, "name")
        corners = [_number(element, f"bndbox/{edge}") for edge in _EDGES]
        x1, y1, x2, y2 = corners
        if not label or x1 is None or y1 is None or x2 is None or y2 is None:
            odd.append(("damaged_box", f"{name}: object {number} ({label or 'no name'})"))
            continue
        difficult = _text(element, "difficult").lower() in ("1", "true", "yes")
        boxes.append(RawBox(label, (x1, y1, x2, y2), difficult=difficult))
    return tuple(boxes), tuple(odd)


def _image_of(document: _Document, files: ImageFiles) -> str:
    """The image that an xml file is about: by its own path first, since copies often keep a wrong ``filename``."""
    filename = document.filename.replace("\\", "/").rpartition("/")[2]
    extension = split_extension(filename)[1]
    folder = document.name.rpartition("/")[0]
    found = files.find(document.name + extension) if extension else None
    found = found or files.find(document.name)
    if found is None and filename:
        beside = f"{folder}/{filename}" if folder else filename
        if beside in files:
            return beside
        # Where the folders of the images are those of the annotations, an image elsewhere is another one.
        found = None if files.has_folder(folder) else files.find(filename)
    if found:
        return found
    return document.name if split_extension(document.name)[1] else document.name + (extension or ".jpg")


def _first_pixel(documents: Mapping[str, _Document], problems: Problems) -> int:
    """0 if a box starts there, else 1 as VOC has it; told by the whole set, so that its lists are read alike."""
    first = 1
    for file, document in documents.items():
        for box in document.boxes:
            if any(0 <= edge < 1 for edge in box.box[:2]):
                first = 0
                problems.add("first_pixel", f"{file}: {box.name}")
    return first


def _shifted(image: RawImage, first: int) -> RawImage:
    boxes = tuple(
        RawBox(box.name, (box.box[0] - first, box.box[1] - first, *box.box[2:]), difficult=box.difficult)
        for box in image.boxes
    )
    return RawImage(image.file, boxes, image.size, annotated=image.annotated, fields=image.fields)


def _images(
    source: SourceFile, files: ImageFiles, documents: Mapping[str, _Document], problems: Problems
) -> Iterator[RawImage]:
    """Images of the list, or all, with corners as they stand in the files."""
    chosen = image_list(source, files, problems)
    own = _class_of_list(source, documents.values())
    for entry in [Listed(file, None) for file in files.files] if chosen is None else chosen:
        document = documents.get(entry.file)
        if document is None:
            if entry.mark in (0, 1):
                problems.add("list_contradicts", f"{entry.file}: listed with {entry.mark}, but has no annotation")
            yield RawImage(entry.file, annotated=entry.mark == -1)
            continue
        for kind, where in document.odd:
            problems.add(kind, where)
        if document.broken:
            continue
        count = sum(own in (None, box.name) for box in document.boxes)
        if entry.mark is not None and (entry.mark >= 0) != (count > 0):
            problems.add("list_contradicts", f"{entry.file}: listed with {entry.mark}, but has {count} boxes")
        yield RawImage(entry.file, document.boxes, document.size, fields=document.fields)


def _class_of_list(source: SourceFile, documents: Iterable[_Document]) -> str | None:
    """The class that a list such as ``person_val.txt`` is about; ``None`` where no box has such a name."""
    name = Path(source.image_list or "").stem.rpartition("_")[0]
    return name if any(box.name == name for document in documents for box in document.boxes) else None
