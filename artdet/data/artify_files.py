"""Artifies folders of photographs into a tree of the same layout, for ``artdet data artify``."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from artdet.atomic import make_folder, whole_file
from artdet.data.artify import check_backend, painted
from artdet.data.artify_cache import VERSION, Painter, VariantSettings, on_all_processors, planned, write_picture
from artdet.errors import ImageError, InputError
from artdet.images.finder import Found
from artdet.images.reader import read_image

NOTE = "artify.json"
"""File of the result's folder that says with which settings it was made."""

_NONE = "unchanged"


@dataclass
class Artified:
    """What was done to a tree of photographs.

    Attributes:
        folder: where the pictures lie.
        made: pictures written now, by effect; ``"unchanged"`` for those without.
        grey: how many of them lost their colours.
        before: pictures that were there.
        failures: photographs that cannot be read, relative to their root, and why.
    """

    folder: Path
    made: Counter[str] = field(default_factory=Counter)
    grey: int = 0
    before: int = 0
    failures: dict[str, ImageError] = field(default_factory=dict)


def outside(found: Found, folder: Path) -> tuple[str, ...]:
    """The files of ``found`` that do not lie in ``folder``, which is where results go.

    Raises:
        InputError: if there are none.
    """
    inside = os.path.join(os.path.abspath(folder), "")
    files = tuple(name for name in found.files if not os.path.join(found.root, name).startswith(inside))
    if not files:
        raise InputError(f"All photographs lie in {folder}, where results would go. Name another folder with --out.")
    return files


def artify_files(
    root: Path,
    files: Sequence[str],
    folder: Path,
    settings: VariantSettings,
    *,
    count: int,
    progress: Callable[[int], None],
    paint: Painter = painted,
) -> Artified:
    """Makes ``count`` pictures of each photograph; those that are there stay. May be stopped and called again.

    Names stay, with ``-1``, ``-2``, ... where there are several. PNG stays PNG, everything else becomes JPEG; two
    photographs that differ in their ending only keep the whole name (``b.tif.jpg``).

    Args:
        files: relative to ``root``, with ``/``.
        progress: called with the number of photographs that are through; first with 0.
        paint: does what was drawn; ``neural_artify.Stylist.painted`` where the neural effect has a weight.

    Raises:
        InputError: if the folder holds other pictures of these names, or some made with other settings.
        MissingBackend: if an effect needs a library that is not there.
        RunError: if a file cannot be written.
    """
    check_backend(settings.artify)
    targets = target_names(files, count)
    _claim(folder, settings, targets)
    work = _Work(root, folder, settings, targets, paint)
    result = Artified(folder)
    progress(0)
    for name, done in on_all_processors(work.make, files):
        if isinstance(done, ImageError):
            result.failures[name] = done
        else:
            result.made.update(effect for effect, _ in done)
            result.grey += sum(grey for _, grey in done)
            result.before += count - len(done)
        progress(1)
    return result


def target_names(files: Sequence[str], count: int) -> dict[str, tuple[str, ...]]:
    """Photograph -> relative names of its ``count`` pictures, each once even where the disk ignores case.

    >>> target_names(["a/b.JPG", "a/b.tif", "c.png"], 1)
    {'a/b.JPG': ('a/b.jpg',), 'a/b.tif': ('a/b.tif.jpg',), 'c.png': ('c.png',)}
    >>> target_names(["b.webp"], 2)
    {'b.webp': ('b-1.jpg', 'b-2.jpg')}
    """
    numbers = [""] if count == 1 else [f"-{number}" for number in range(1, count + 1)]
    taken: set[str] = set()
    result = {}
    for file in files:
        path = PurePosixPath(file)
        ending = ".png" if path.suffix.lower() == ".png" else ".jpg"
        stem, extra = path.stem, 1
        while True:
            names = tuple(str(path.with_name(f"{stem}{number}{ending}")) for number in numbers)
            if not any(name.casefold() in taken for name in names):
                break
            stem, extra = (path.name if extra == 1 else f"{path.name}.{extra}"), extra + 1
        taken.update(name.casefold() for name in names)
        result[file] = names
    return result


class _Work:
    """Makes the pictures of one photograph after the other; may be called from several threads."""

    def __init__(
        self, root: Path, folder: Path, settings: VariantSettings, targets: dict[str, tuple[str, ...]], paint: Painter
    ) -> None:
        self._root, self._folder, self._settings, self._targets, self._paint = root, folder, settings, targets, paint

    def make(self, file: str) -> list[tuple[str, bool]] | ImageError:
        """Effect and greyness of every picture that was not there."""
        missing = [
            (number, self._folder / name)
            for number, name in enumerate(self._targets[file])
            if not os.path.lexists(self._folder / name)
        ]
        if not missing:
            return []
        try:
            image = read_image(self._root / file, max_side=self._settings.max_side)
        except ImageError as error:
            return error
        done = []
        for number, target in missing:
            plan = planned(self._settings, image.sha256, number)
            make_folder(target.parent)
            write_picture(target, self._paint(image.pixels, plan), quality=self._settings.quality)
            done.append((plan.effect or _NONE, plan.grey))
        return done


def _claim(folder: Path, settings: VariantSettings, targets: dict[str, tuple[str, ...]]) -> None:
    """Makes the folder ours, or finds that it is ours and of the same settings."""
    note = folder / NOTE
    ours = {"version": VERSION, **settings.model_dump(mode="json")}
    if os.path.lexists(note):
        try:
            theirs = json.loads(note.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{note} cannot be read. Name another folder with --out.") from error
        if theirs != ours:
            raise InputError(f"{folder} holds pictures made with other settings. Name another folder with --out.")
        return
    for names in targets.values():
        for name in names:
            if os.path.lexists(folder / name):
                raise InputError(
                    f"{folder / name} is there already, and not from here. Name another folder with --out."
                )
    make_folder(folder)
    with whole_file(note) as stream:
        stream.write(json.dumps(ours, indent=2).encode())
