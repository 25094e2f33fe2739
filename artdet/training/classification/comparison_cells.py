"""Many trainings one after the other, each a run folder of its own: what is finished is never trained again."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from artdet.atomic import make_folder, whole_file
from artdet.errors import RunError, TrainingError, TrainingStopped
from artdet.metrics.classification import TaskFigures
from artdet.modelfiles import file_sha256, find_model
from artdet.runs import json_text
from artdet.training.classification.course import score
from artdet.training.classification.identity import data_hash, difference
from artdet.training.classification.recipe import Recipe

if TYPE_CHECKING:
    from artdet.training.classification.run import Outcome, TrainingRequest

CELL_FILE = "cell.json"

Train = Callable[["TrainingRequest"], "Outcome"]
"""Trains, or goes on where the request's folder ends."""


@dataclass(frozen=True)
class Result:
    """What a cell came to.

    Attributes:
        seed: of the training.
        seconds: of the whole training.
        best: the epoch that was chosen; 0 where there are no epochs.
        score: what the best epoch is chosen by, of its weights on validation; higher is better.
        validation: task -> figure -> value.
        test: likewise.
        failure: why there are no figures; empty where all went well.
    """

    seed: int = 0
    seconds: float = 0.0
    best: int = 0
    score: float | None = None
    validation: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    test: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    failure: str = ""


@dataclass(frozen=True, eq=False)
class Cell:
    """One training among many.

    Attributes:
        name: of its folder.
        request: what is trained; its folder is that of the cell.
        labels: what it differs in from others: key -> value as text.
    """

    name: str
    request: TrainingRequest
    labels: Mapping[str, str]


Check = Callable[[Sequence["TrainingRequest"]], None]
"""Raises if one of the requests cannot be trained."""

After = Callable[[Mapping[str, Result]], None]
"""Is told the results so far, by the names of the cells, after each of them."""


def run_cells(
    cells: Sequence[Cell],
    train: Train,
    *,
    say: Callable[[str], None],
    check: Check = lambda requests: None,
    after: After = lambda results: None,
) -> dict[str, Result]:
    """Trains every cell that is not finished; one that diverges or runs out of memory is noted, and the next begun.

    Args:
        cells: in the order of training.
        train: trains one.
        say: shows a sentence.
        check: is given what is to be trained, before any is.
        after: is called after each cell.

    Returns:
        Name of the cell -> its result.

    Raises:
        RunError: before anything is trained, if the folder of a cell holds another training.
        TrainingStopped: after Ctrl-C, saying how many are done.
    """
    identities = {cell.name: identity(cell.request) for cell in cells}
    results = {cell.name: found for cell in cells if (found := finished(cell, identities[cell.name])) is not None}
    check([cell.request for cell in cells if cell.name not in results])
    after(results)
    if results:
        say(f"{len(results)} of {len(cells)} trainings are finished already.")
    for number, cell in enumerate(cells, 1):
        if cell.name in results:
            continue
        say(f"training {number} of {len(cells)}: {cell.name}")
        try:
            results[cell.name] = _trained(cell, identities[cell.name], train)
        except TrainingStopped as stopped:
            raise TrainingStopped(
                f"Stopped in {cell.request.folder}, and saved; {len(results)} of {len(cells)} trainings are done. "
                "Go on with the same command."
            ) from stopped
        if failure := results[cell.name].failure:
            say(f"{cell.name} failed: {failure}")
        after(results)
    return results


def finished(cell: Cell, wanted: Mapping[str, Any]) -> Result | None:
    """The result of a cell that was trained before; ``None`` if it was not, not to its end, or failed.

    Raises:
        RunError: if its folder holds another training.
    """
    file = cell.request.folder / CELL_FILE
    if not file.exists():
        return None
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        before, result = data["identity"], data["result"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{file} cannot be read ({error}). Delete its folder, and it is trained again.") from error
    if before != wanted:
        raise RunError(
            f"{cell.request.folder} was trained with {_difference(before, wanted, cell.request.recipe)}. "
            "Give this comparison another --name, or delete that folder to train it again."
        )
    return Result(**result) if result and not result["failure"] else None


def identity(request: TrainingRequest) -> dict[str, Any]:
    """Whatever decides how a training ends: recipe, tasks, images, answers, split, and weights to start from."""
    start = find_model(request.recipe.backbone.start, Path())
    return {
        "recipe": request.recipe.model_dump(mode="json"),
        "tasks": [task.model_dump(mode="json") for task in request.artworks.tasks],
        "data": data_hash(request.artworks, request.partition),
        "start": file_sha256(start.model) if start else None,
    }


def folder_name(text: str) -> str:
    """A name for a folder that says what it is of; one that cannot say all ends with a digest.

    >>> folder_name("only_last"), folder_name("runs/train/people_art")
    ('only_last', 'people_art-912c22')
    """
    path = Path(text)
    shown = path.parent.name if path.name == "model.safetensors" else path.stem if path.parent.name else text
    plain = re.sub(r"[^\w.+=-]+", "-", shown).strip("-.")[:60] or "value"
    return plain if plain == text else f"{plain}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def write_text(path: Path, text: str) -> None:
    """Writes a file whole or not at all, and the folders above it."""
    make_folder(path.parent)
    with whole_file(path) as stream:
        stream.write(text.encode("utf-8"))


def _trained(cell: Cell, wanted: Mapping[str, Any], train: Train) -> Result:
    file = cell.request.folder / CELL_FILE

    def write(result: Result | None) -> None:
        data = {"labels": dict(cell.labels), "identity": wanted, "result": asdict(result) if result else None}
        write_text(file, json_text(data, indent=2))

    write(None)
    try:
        result = _result(train(cell.request), cell.request)
    except TrainingError as error:
        result = Result(seed=cell.request.recipe.seed, failure=str(error))
    write(result)
    return result


def _result(outcome: Outcome, request: TrainingRequest) -> Result:
    from artdet.training.classification.parts import with_scales

    recipe = request.recipe
    # Losses of numbers are in their own unit, years say, beside which those of labels would not count.
    units = {task.name: task.deviation for task in with_scales(request.artworks, request.partition).tasks}
    losses = [loss / units[one.task] for one in outcome.validation if math.isfinite(loss := one.value("loss"))]
    return Result(
        seed=recipe.seed,
        seconds=outcome.seconds,
        best=outcome.best,
        score=score(recipe.metric, outcome.validation, sum(losses) if losses else math.nan),
        validation=_values(outcome.validation),
        test=_values(outcome.test),
    )


def _values(figures: Sequence[TaskFigures]) -> dict[str, dict[str, float | None]]:
    """Task -> figure -> value, ``None`` where it is no number."""
    return {each.task: {name: _number(value) for name, value in each.figures.items()} for each in figures}


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _difference(before: Mapping[str, Any], wanted: Mapping[str, Any], recipe: Recipe) -> str:
    """What a finished training differs in, as the end of "was trained with"."""
    if changed := difference(before.get("recipe", {}), recipe):
        return f"another recipe: {changed}"
    if before.get("tasks") != wanted["tasks"]:
        return "other tasks or classes"
    return "other images, answers or split" if before.get("data") != wanted["data"] else "other weights to start from"
