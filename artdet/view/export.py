"""A dataset of ours as files, for someone else's FiftyOne."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from artdet.atomic import cannot_write
from artdet.errors import InputError


def export(dataset: Any, folder: Path, *, copy_images: bool) -> None:
    """Writes a dataset in FiftyOne's own format, with its evaluation and its saved views.

    Args:
        folder: new or empty.
        copy_images: put copies of the images into it; else it only names where they lie on this machine.

    Raises:
        InputError: if the folder holds something, or an image is no longer there.
        RunError: if it cannot be written.
    """
    import fiftyone

    check_new(folder)
    if copy_images:
        gone = [path for path in dataset.values("filepath") if not Path(path).is_file()]
        if gone:
            raise InputError(
                f"{len(gone)} images are no longer there ({', '.join(gone[:3])}{', ...' if len(gone) > 3 else ''}). "
                "Put them back, or export without them: --no-copy-images."
            )
    try:
        dataset.export(
            export_dir=str(folder),
            dataset_type=fiftyone.types.FiftyOneDataset,
            export_media=copy_images,
            progress=False,
        )
    except OSError as error:
        raise cannot_write(folder, error) from error


def check_new(folder: Path) -> None:
    """Makes sure that nothing is overwritten.

    Raises:
        InputError: if the folder holds something, or is a file.
    """
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise InputError(f"{folder} is there already. Name a new folder, or remove that one first.")


def how_to_load(folder: Path) -> str:
    """The line that loads an export in Python."""
    return (
        f"import fiftyone as fo; fo.launch_app(fo.Dataset.from_dir({str(folder)!r}, fo.types.FiftyOneDataset)).wait()"
    )
