"""A local server with ranges, and small copies of what the sets publish."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import threading
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from artdet.data.category import load_category
from artdet.fetching import archive, photographs


@dataclass
class Site:
    """A server and what happens there.

    Attributes:
        files: path -> content.
        cut: path -> lengths after which the next answers end, one each.
        status: path -> error that is answered instead.
        ranges: whether parts can be asked for.
        log: (method, path, range) of each request.
    """

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    cut: dict[str, list[int]] = field(default_factory=dict)
    status: dict[str, int] = field(default_factory=dict)
    ranges: bool = True
    log: list[tuple[str, str, str | None]] = field(default_factory=list)

    def asked(self, ending: str) -> list[str | None]:
        """Ranges of the GETs of files with this ending."""
        return [part for method, path, part in self.log if method == "GET" and path.endswith(ending)]


def handler(site):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_HEAD(self):
            self.answer(body=False)

        def do_GET(self):
            self.answer(body=True)

        def answer(self, *, body):
            wanted = self.headers.get("Range")
            site.log.append((self.command, self.path, wanted))
            status = site.status.get(self.path, 200 if self.path in site.files else 404)
            if status != 200:
                self.plain(status, {"Content-Length": "0"})
                return
            content = site.files[self.path]
            tag = f'"{hashlib.md5(content).hexdigest()}"'
            start = 0
            if wanted and site.ranges and self.headers.get("If-Range") in (None, tag):
                start = int(wanted.removeprefix("bytes=").split("-")[0])
                if start >= len(content):
                    self.plain(416, {"Content-Range": f"bytes */{len(content)}", "Content-Length": "0"})
                    return
            headers = {"ETag": tag, "Content-Length": str(len(content) - start)}
            if start:
                headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self.plain(206 if start else 200, headers)
            lengths = site.cut.get(self.path)
            if body and lengths:
                self.wfile.write(content[start : start + lengths.pop(0)])
                self.close_connection = True
            elif body:
                self.wfile.write(content[start:])

        def plain(self, status, headers):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

    return Handler


@pytest.fixture
def site(monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    made = Site(f"http://127.0.0.1:{server.server_address[1]}")
    server.RequestHandlerClass = handler(made)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    for module in (archive, photographs):
        monkeypatch.setattr(module, "_WAIT", 0.0)
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
    monkeypatch.setenv("ARTDET_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture(scope="session")
def animals(taxonomy):
    return load_category("animals", taxonomy)


def jpeg(number: int, size: tuple[int, int] = (60, 40)) -> bytes:
    """A picture of its own, (width, height) as given."""
    rng = np.random.default_rng(number)
    stream = io.BytesIO()
    Image.fromarray(rng.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)).save(stream, "JPEG")
    return stream.getvalue()


# COCO: file name -> (category, x, y, width, height, crowd)
COCO_BOXES = {
    "000000000009.jpg": [("dog", 10, 5, 20, 30, 0), ("car", 1, 2, 3, 4, 0)],
    "000000000025.jpg": [("cat", 0, 0, 30, 20, 0), ("dog", 30, 10, 20, 20, 1)],
    "000000000030.jpg": [("bird", 7, 7, 9, 9, 0)],
    "000000000034.jpg": [("car", 7, 7, 9, 9, 0)],
    "000000000036.jpg": [("dog", 3, 4, 5, 6, 0), ("person", 8, 8, 10, 20, 0)],
    "000000000042.jpg": [("dog", 3, 4, 5, 6, 1)],
}
COCO_CLASSES = {"person": 1, "car": 3, "bird": 16, "cat": 17, "dog": 18}
COCO_WANTED = {"000000000009.jpg", "000000000025.jpg", "000000000030.jpg", "000000000036.jpg"}


def coco_table(url: str) -> bytes:
    images, annotations = [], []
    for file, boxes in COCO_BOXES.items():
        number = int(file.split(".")[0])
        images.append(
            {"id": number, "file_name": file, "width": 60, "height": 40, "license": 2, "coco_url": f"{url}/c/{file}"}
        )
        for name, *bbox, crowd in boxes:
            entry = {"id": len(annotations) + 1, "image_id": number, "category_id": COCO_CLASSES[name]}
            annotations.append({**entry, "bbox": bbox, "iscrowd": crowd, "area": bbox[2] * bbox[3]})
    categories = [{"id": number, "name": name, "supercategory": "x"} for name, number in COCO_CLASSES.items()]
    licences = [{"id": 2, "name": "Attribution-NonCommercial License", "url": ""}]
    parts = {"info": {}, "licenses": licences, "images": images, "annotations": annotations, "categories": categories}
    return json.dumps(parts).encode()


def zipped(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return stream.getvalue()


def table(*rows) -> bytes:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue().encode()


# Open Images: image -> ((class, XMin, XMax, YMin, YMax, IsGroupOf, IsInside), ...), and what is verified as absent
OPEN_BOXES = {
    "00aa": [("Dog", 0.25, 0.75, 0.1, 0.6, 0, 0)],
    "00bb": [("Cattle", 0, 0.5, 0.5, 1, 0, 0), ("Dog", 0.1, 0.2, 0.1, 0.2, 1, 0)],
    "00cc": [("Animal", 0.1, 0.3, 0.2, 0.4, 0, 0), ("House", 0, 1, 0, 1, 0, 1)],
    "00dd": [("House", 0.1, 0.9, 0.1, 0.9, 0, 0)],
}
OPEN_ABSENT = {"00aa": ["Cat"], "00dd": ["Animal"]}
OPEN_CLASSES = {"Animal": "/m/01", "Dog": "/m/02", "Cat": "/m/03", "Cattle": "/m/04", "Bull": "/m/05", "House": "/m/06",
                "Mammal": "/m/07"}  # fmt: skip
HIERARCHY = {
    "LabelName": "/m/0bl9f",
    "Subcategory": [
        {"LabelName": "/m/01", "Subcategory": [{"LabelName": "/m/07", "Subcategory": [
            {"LabelName": OPEN_CLASSES[name]} for name in ("Dog", "Cat", "Cattle", "Bull")]}]},
        {"LabelName": "/m/06"},
    ],
}  # fmt: skip
BOX_COLUMNS = ("ImageID", "Source", "LabelName", "Confidence", "XMin", "XMax", "YMin", "YMax", "IsOccluded",
               "IsTruncated", "IsGroupOf", "IsDepiction", "IsInside")  # fmt: skip


def open_tables() -> dict[str, bytes]:
    """As Open Images publishes them."""
    rows = [
        (image, "xclick", OPEN_CLASSES[name], 1, *edges, 0, 0, group, 0, inside)
        for image, boxes in OPEN_BOXES.items()
        for name, *edges, group, inside in boxes
    ]
    verified = [(image, "verification", OPEN_CLASSES[name], 0) for image, own in OPEN_ABSENT.items() for name in own]
    verified += [(image, "verification", OPEN_CLASSES[box[0]], 1) for image, own in OPEN_BOXES.items() for box in own]
    return {
        "detections.csv": table(BOX_COLUMNS, *rows),
        "classifications.csv": table(("ImageID", "Source", "LabelName", "Confidence"), *verified),
        "classes.csv": table(*((number, name) for name, number in OPEN_CLASSES.items())),
        "hierarchy.json": json.dumps(HIERARCHY).encode(),
    }


@pytest.fixture
def zoo_dir(tmp_path, monkeypatch):
    """Where FiftyOne's zoo would be on this machine; empty."""
    monkeypatch.setenv("FIFTYONE_DO_NOT_TRACK", "true")
    monkeypatch.setenv("FIFTYONE_SHOW_PROGRESS_BARS", "false")
    fiftyone = pytest.importorskip("fiftyone")
    monkeypatch.setattr(fiftyone.config, "dataset_zoo_dir", str(tmp_path / "zoo"))
    monkeypatch.setattr(fiftyone.config, "show_progress_bars", False)
    return tmp_path / "zoo"


@pytest.fixture
def published(site, zoo_dir, monkeypatch):
    """COCO 2017 and Open Images on the local server, where FiftyOne's own functions find them."""
    import fiftyone.utils.coco as coco
    import fiftyone.utils.openimages as open_images

    site.files["/annotations.zip"] = zipped(
        {"annotations/captions_train2017.json": b"{}", "annotations/instances_train2017.json": coco_table(site.url)}
    )
    site.files |= {f"/c/{file}": jpeg(number) for number, file in enumerate(COCO_BOXES)}
    monkeypatch.setitem(coco._ANNOTATION_DOWNLOAD_LINKS, "2017", f"{site.url}/annotations.zip")
    names = {"detections.csv": ("train", "detections"), "classifications.csv": ("train", "classifications"),
             "classes.csv": ("general", "class_names"), "hierarchy.json": ("general", "hierarchy")}  # fmt: skip
    for name, content in open_tables().items():
        site.files[f"/o/{name}"] = content
        group, key = names[name]
        monkeypatch.setitem(open_images._ANNOTATION_DOWNLOAD_URLS[group], key, f"{site.url}/o/{name}")
    for number, image in enumerate(OPEN_BOXES):
        site.files[f"/open-images-dataset/train/{image}.jpg"] = jpeg(100 + number, (80, 50))
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", site.url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    return site


@pytest.fixture(scope="session")
def sets():
    """What the sets hold, and how it is written."""
    return SimpleNamespace(
        jpeg=jpeg, zipped=zipped, table=table, coco_table=coco_table, open_tables=open_tables,
        coco_boxes=COCO_BOXES, coco_wanted=COCO_WANTED, open_boxes=OPEN_BOXES, hierarchy=HIERARCHY,
        open_classes=OPEN_CLASSES,
    )  # fmt: skip
