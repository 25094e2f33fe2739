import pytest
import torch
from torchvision.models import get_model, get_model_weights

from artdet.detectors.torchvision import ARCHITECTURES, Settings
from artdet.detectors.torchvision_architectures import build_network
from artdet.errors import ModelError
from artdet.training.backends.torchvision_start import cached_file, fill_start, from_cache, missing_note

SMALL = "fasterrcnn_mobilenet_v3_large_320_fpn"


@pytest.fixture(autouse=True)
def hub(tmp_path, monkeypatch):
    """torch's cache, empty."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def network(classes):
    torch.manual_seed(1)
    return build_network(SMALL, 1 + len(classes), Settings(name="a", weights="b"))


def test_an_empty_cache_has_nothing(taxonomy):
    assert from_cache(SMALL, taxonomy) is None


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_what_is_missing_is_named(architecture, hub):
    note = missing_note(architecture)
    assert "https://download.pytorch.org/models/" in note
    assert str(hub) in note


def test_weights_of_imagenet_fill_the_backbone(taxonomy):
    torch.manual_seed(7)
    published = get_model("mobilenet_v3_large", weights=None).state_dict()
    torch.save(published, cached_file(get_model_weights("mobilenet_v3_large").IMAGENET1K_V1))
    start = from_cache(SMALL, taxonomy)
    made = network(["cow"])
    before = made.rpn.head.cls_logits.weight.clone()
    fill_start(made, start, ["cow"])
    for name, tensor in made.backbone.body.state_dict().items():
        assert torch.equal(tensor, published[f"features.{name}"]), name
    assert torch.equal(made.rpn.head.cls_logits.weight, before)


def test_weights_of_coco_fill_all_and_give_classes_what_they_know(taxonomy):
    torch.manual_seed(7)
    weights = get_model_weights(SMALL).COCO_V1
    published = get_model(SMALL, weights=None, weights_backbone=None, num_classes=91).state_dict()
    torch.save(published, cached_file(weights))
    start = from_cache(SMALL, taxonomy)
    classes = ["angel", "horse", "persons"]
    made = network(classes)
    before = made.roi_heads.box_predictor.cls_score.weight.clone()
    fill_start(made, start, classes)
    assert torch.equal(made.roi_heads.box_head.fc6.weight, published["roi_heads.box_head.fc6.weight"])
    rows = made.roi_heads.box_predictor.cls_score.weight
    theirs = published["roi_heads.box_predictor.cls_score.weight"]
    categories = weights.meta["categories"]
    assert torch.equal(rows[0], theirs[0])
    assert torch.equal(rows[1], before[1])
    assert torch.equal(rows[2], theirs[categories.index("horse")])
    assert torch.equal(rows[3], theirs[categories.index("person")])


def test_a_damaged_file_is_told(taxonomy):
    file = cached_file(get_model_weights("mobilenet_v3_large").IMAGENET1K_V1)
    file.write_bytes(b"half a download")
    with pytest.raises(ModelError, match=r"mobilenet_v3_large-8738ca79\.pth cannot be read .* Delete it"):
        from_cache(SMALL, taxonomy)
