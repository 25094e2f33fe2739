"""Heavy libraries load only where they are used: ``artdet --help`` stays under 0.3 s."""

import json
import subprocess
import sys

import pytest

HEAVY = {
    "torch", "torchvision", "ultralytics", "detectron2", "tensorflow", "fiftyone", "openvino", "onnxruntime", "mtcnn",
    "nudenet", "ensemble_boxes", "numba", "pandas", "cv2", "matplotlib", "faster_coco_eval", "jinja2", "pymongo",
}  # fmt: skip

PROBE = """
import json, sys
sys.argv = ["artdet", *sys.argv[1:]]
from artdet.__main__ import run
status = run(sys.argv[1:])
print("MODULES", json.dumps([status, sorted(sys.modules)]))
"""


def modules_after(*arguments):
    done = subprocess.run([sys.executable, "-c", PROBE, *arguments], capture_output=True, text=True, check=True)
    marked = next(line for line in done.stdout.splitlines() if line.startswith("MODULES "))
    status, modules = json.loads(marked.removeprefix("MODULES "))
    assert status == 0, done.stderr
    return {name.partition(".")[0] for name in modules}


@pytest.mark.parametrize(
    "command",
    [
        (),
        ("predict",),
        ("classify",),
        ("export",),
        ("train",),
        ("data",),
        ("data", "stats"),
        ("data", "convert"),
        ("data", "from-fiftyone"),
        ("data", "artify"),
        ("data", "fetch"),
        ("data", "profile"),
        ("data", "duplicates"),
        ("evaluate",),
        ("app",),
        ("classes",),
        ("models",),
        ("doctor",),
    ],
)
def test_help_imports_nothing_heavy(command):
    loaded = modules_after(*command, "--help")
    assert loaded & (HEAVY | {"numpy", "pydantic", "PIL"}) == set()


def test_listing_classes_and_models_imports_nothing_heavy():
    for command in ("classes", "models"):
        assert modules_after(command) & HEAVY == set()
