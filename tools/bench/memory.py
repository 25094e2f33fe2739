"""Does the memory of a run grow with the number of images?

    python tools/bench/memory.py --images FOLDER [--few 400] [--many 4000] [--distinct]

Repeats the first images of a folder under distinct names, runs `artdet predict` over few and over many in processes of
their own, and prints the peak of the resident memory of each. Links have the same bytes and are computed once; with
--distinct each is a copy with other trailing bytes, so that every one is computed.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="folder with JPEG files, any depth")
    parser.add_argument("--few", type=int, default=400)
    parser.add_argument("--many", type=int, default=4000)
    parser.add_argument("--distinct", action="store_true")
    parser.add_argument("--ensemble", default="default")
    arguments = parser.parse_args()
    sources = sorted(arguments.images.resolve().rglob("*.jpg"))[: arguments.few]
    if len(sources) < arguments.few:
        sys.exit(f"{arguments.images} holds {len(sources)} .jpg files, but --few is {arguments.few}")
    peaks = []
    with tempfile.TemporaryDirectory() as name:
        for count in (arguments.few, arguments.many):
            folder = fill(Path(name) / str(count), sources, count, arguments.distinct)
            peaks.append(peak(folder, Path(name) / f"run-{count}", arguments.ensemble))
            print(f"{count} images: peak {peaks[-1]:.0f} MiB", flush=True)
    print(f"ratio {peaks[1] / peaks[0]:.3f}")


def fill(folder: Path, sources: list[Path], count: int, distinct: bool) -> Path:
    folder.mkdir()
    for index in range(count):
        source, target = sources[index % len(sources)], folder / f"{index:05}.jpg"
        if distinct:
            target.write_bytes(source.read_bytes() + index.to_bytes(4, "big"))
        else:
            target.symlink_to(source)
    return folder


def peak(images: Path, out: Path, ensemble: str) -> float:
    """Peak resident memory in MiB of a run as a process of its own."""
    command = [sys.executable, "-m", "artdet", "predict", str(images), "--out", str(out), "--ensemble", ensemble]
    process = os.posix_spawn(sys.executable, command, dict(os.environ))
    _, status, usage = os.wait4(process, 0)
    if status:
        sys.exit(f"{' '.join(command)} failed")
    return usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()
