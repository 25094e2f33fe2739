"""One call of ``artdet predict``: from what the user asked for to a finished run folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from artdet.detectors.base import LoadContext
from artdet.devices import cpu_threads, resolve_device
from artdet.ensemble.config import EnsembleFile, load_ensemble
from artdet.ensemble.ensemble import fingerprints, load, refuse_missing
from artdet.ensemble.rules import check_labels
from artdet.images.finder import Found, find_images
from artdet.images.reader import DEFAULT_MAX_PIXELS
from artdet.predict.continuation import started_or_continued
from artdet.predict.identity import describe
from artdet.predict.journal import Journal
from artdet.predict.reading import ReadSettings
from artdet.predict.runner import RunSettings, Tally, predict_files
from artdet.runs import Record
from artdet.taxonomy import Taxonomy

RUNS = Path("runs") / "predict"


@dataclass(frozen=True)
class Request:
    """What the user asked for; the command line's options by their names.

    Attributes:
        paths: folders, files or globs.
        out: the run folder; named after the pictures' folder below ``runs/predict`` by default.
        min_score: replaces every member's threshold, and holds for the fused boxes too.
        tta: whether members see every image in several views; what the ensemble file says of views goes first.
        limit: only so many images, the first ones.
        overrides: ``dotted.path=value`` texts for the ensemble file.
    """

    paths: Sequence[str]
    ensemble: str = "default"
    out: Path | None = None
    overrides: Sequence[str] = ()
    taxonomy: Path | None = None
    recursive: bool = False
    limit: int | None = None
    min_score: float | None = None
    tta: bool = False
    max_pixels: int = DEFAULT_MAX_PIXELS
    keep_members: bool = False
    device: str = "auto"
    engine: str = "auto"
    precision: str = "auto"
    batch: int = 16
    trust_weights: bool = False
    overwrite: bool = False
    retry_failed: bool = False


@dataclass
class Prediction:
    """A prediction that is ready to run.

    Attributes:
        folder: the run folder.
        found: the images.
        files: those of them that this call is about, in order.
    """

    request: Request
    folder: Path
    found: Found
    files: tuple[str, ...]
    file: EnsembleFile
    context: LoadContext = field(repr=False)

    def run(self, progress: Callable[[int], None]) -> Tally:
        """Prepares the folder, loads the models if there is work for them, and goes through the images.

        Args:
            progress: called once with how many images were done before, then with 1 after each image.

        Raises:
            RunError: if the folder cannot be used.
            ModelError: if weights or libraries are missing.
        """
        asked = self.request
        refuse_missing(self.file, self.context)
        info = describe(
            self.found.root,
            self.file,
            fingerprints(self.file, self.context),
            self.context.taxonomy,
            max_pixels=asked.max_pixels,
            min_score=asked.min_score,
            keep_members=asked.keep_members,
            device=self.context.device,
        )
        return started_or_continued(
            self.folder,
            info,
            lambda journal: self._detect(journal, lambda _: progress(1)),
            files=self.files,
            overwrite=asked.overwrite,
            retry_failed=asked.retry_failed,
            progress=progress,
        )

    def _detect(self, journal: Journal, progress: Callable[[Record], None]) -> Tally:
        return predict_files(
            self.files,
            self.found.root,
            load(self.file, self.context),
            journal,
            settings=self._run_settings(),
            taxonomy=self.context.taxonomy,
            progress=progress,
        )

    def _run_settings(self) -> RunSettings:
        asked = self.request
        threads = cpu_threads()
        reading = ReadSettings(
            max_side=self.file.settings.max_side,
            max_pixels=asked.max_pixels,
            threads=threads,
            window=asked.batch + 2 * threads,
        )
        return RunSettings(reading, asked.batch, min_score=asked.min_score or 0.0, keep_members=asked.keep_members)


def plan(request: Request) -> Prediction:
    """Checks everything that can be checked before models load.

    Raises:
        InputError: if there are no images, or no such device.
        ConfigError: if the ensemble or the taxonomy is wrong.
    """
    taxonomy = Taxonomy.load(request.taxonomy)
    file = load_ensemble(request.ensemble, request.overrides)
    if request.min_score is not None:
        file = file.with_min_score(request.min_score)
    if request.tta:
        file = file.with_tta()
    check_labels(file.settings.rules, taxonomy)
    context = LoadContext(
        taxonomy,
        device=resolve_device(request.device),
        engine=request.engine,
        precision=request.precision,
        threads=cpu_threads(),
        trust_weights=request.trust_weights,
    )
    found = find_images(request.paths, recursive=request.recursive)
    files = found.files[: request.limit]
    return Prediction(request, request.out or _default_folder(request, found, file), found, files, file, context)


def pictures_name(paths: Sequence[str], found: Found) -> str:
    """What a run on these pictures is called where nobody names it."""
    is_file = len(paths) == 1 and Path(paths[0]).is_file()
    return Path(paths[0]).stem if is_file else found.root.name or "root"


def _default_folder(request: Request, found: Found, file: EnsembleFile) -> Path:
    """The run folder where none is named: the same for the same pictures, ensemble and views: a repeat goes on."""
    name = pictures_name(request.paths, found)
    parts = [name, *([] if file.name == "default" else [file.name]), *(["tta"] if request.tta else [])]
    return RUNS / "-".join(parts)
