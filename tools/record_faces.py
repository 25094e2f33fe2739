"""Records what the ``mtcnn`` package finds, for the tests of our own MTCNN: tests/detectors/faces_reference.json.

It needs TensorFlow, which artdet does not, so give it an environment of its own:

    python3 -m venv .faces-env
    .faces-env/bin/python -m pip install mtcnn==1.0.0 tensorflow-cpu pillow
    .faces-env/bin/python tools/record_faces.py --data ../shared/data
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

OTHERS = (
    "people_art/JPEGImages/Classicism/nicolas-poussin_institution-of-the-eucharist-1640.jpg",
    "people_art/JPEGImages/Symbolism/akseli-gallen-kallela_by-the-river-of-tuonela-study-for-the-jus-lius-mausoleum-frescos-1903.jpg",
    "people_art/JPEGImages/Naturalism/lovis-corinth_the-artist-and-his-family-1909.jpg",
    "people_art/JPEGImages/Symbolism/william-blake_archangel-raphael-with-adam-and-eve-1808.jpg",
    "people_art/JPEGImages/Divisionism/henri-martin_in-flowers.jpg",
    "people_art/JPEGImages/Neo-baroque/giorgio-de-chirico_still-life-with-silver-ware-1962.jpg",
    "people_art/JPEGImages/Neo-Rococo/franz-xaver-winterhalter_alexandra-iosifovna-grand-duchess-of-russia-princess-alexandra-of-altenburg.jpg",
    "people_art/JPEGImages/AnalyticalRealism/pavel-filonov_magi-wise-men-1914.jpg",
    "photos/coco256/images/000000005001.jpg",
    "photos/coco256/images/000000012670.jpg",
    "photos/coco256/images/000000006954.jpg",
    "photos/coco256/images/000000011699.jpg",
    "photos/coco256/images/000000008690.jpg",
    "photos/coco256/images/000000012576.jpg",
    "photos/coco256/images/000000007088.jpg",
    "photos/coco256/images/000000001532.jpg",
    "photos/coco256/images/000000000415.jpg",
    "art_unveiled/images/00103.jpg",
    "art_unveiled/images/00092.jpg",
    "art_unveiled/images/00015.jpg",
    "art_unveiled/images/00088.jpg",
    "art_unveiled/images/00071.jpg",
    "art_unveiled/images/00049.jpg",
    "byzart2k/valid/00004741-2_jpg.rf.b962ab350648499b555eca807ff4f4c7.jpg",
    "byzart2k/train/Book-MountAthosPantokrator_081_jpg.rf.65d43de4122f967149c3050f43a68317.jpg",
    "byzart2k/train/IMG_4972_jpg.rf.1159e32eaa52334a7830c1dbeba0f4d3.jpg",
    "byzart2k/train/IMG_4827_jpg.rf.96050566bc1ba09e87577d00407f9b61.jpg",
    "byzart2k/train/Book-MountAthosPantokrator_129_jpg.rf.af9fc4c6cb0b9d2a1f0f74249948220a.jpg",
    "byzart2k/train/IMG_4891_jpg.rf.cf1020ec1c5ba3858fd0ad27ce1fc72e.jpg",
    "byzart2k/train/Book_DivineBeauty_025_jpg.rf.574c086420c62327a32e67a915320be5.jpg",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--paintings", type=Path, default=ROOT / "examples" / "paintings")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--out", type=Path, default=ROOT / "tests" / "detectors" / "faces_reference.json")
    options = parser.parse_args()
    groups = {
        "paintings": record(options.paintings, sorted(path.name for path in options.paintings.glob("*.jpg"))),
        "data": record(options.data, OTHERS),
    }
    versions = {name: importlib.metadata.version(name) for name in ("mtcnn", "tensorflow-cpu", "pillow")}
    options.out.write_text(laid_out(versions, groups), encoding="utf-8")
    for name, images in groups.items():
        print(f"{name}: {len(images)} images, {sum(len(image['faces']) for image in images)} faces")


def record(folder: Path, names: list[str] | tuple[str, ...]) -> list[dict[str, Any]]:
    """Faces as [x1, y1, x2, y2, score], in pixels, as the package gives them at its default settings."""
    import numpy as np
    from mtcnn import MTCNN
    from PIL import Image, ImageOps

    detector = MTCNN()
    images = []
    for name in names:
        path = folder / name
        pixels = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))
        found = np.asarray(detector.detect_faces(pixels, box_format="xyxy", output_type="numpy"))
        faces = [[round(float(x), 3) for x in row[1:5]] + [round(float(row[5]), 5)] for row in found]
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        height, width = pixels.shape[:2]
        images.append({"file": name, "sha256": digest, "height": height, "width": width, "faces": faces})
    return images


def laid_out(versions: dict[str, str], groups: dict[str, list[dict[str, Any]]]) -> str:
    """JSON with one image a line."""
    parts = [f' "recorded_with": {json.dumps(versions)}']
    for name, images in groups.items():
        lines = ",\n".join(f"  {json.dumps(image)}" for image in images)
        parts.append(f' "{name}": [\n{lines}\n ]')
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    main()
