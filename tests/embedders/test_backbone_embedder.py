import numpy as np
import pytest
import torch

from artdet.embedders.backbone_embedder import BackboneEmbedder
from artdet.embedders.backbones import build


@pytest.fixture(scope="module")
def embedder():
    torch.manual_seed(0)
    return BackboneEmbedder(build("mobilenet_v3_small", image_size=64), batch=2)


def images(*shapes):
    generator = np.random.default_rng(0)
    return [generator.integers(0, 256, (*shape, 3), dtype=np.uint8) for shape in shapes]


def test_no_images_give_no_rows(embedder):
    assert embedder.embed([]).shape == (0, 576)


def test_rows_are_units_in_the_order_of_the_images(embedder):
    five = images((40, 90), (64, 65), (200, 31), (70, 71), (33, 99))
    found = embedder.embed(five)
    assert found.dtype == np.float32
    assert found.shape == (5, embedder.dim)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
    for row, image in zip(found, five, strict=True):
        np.testing.assert_allclose(row, embedder.embed([image])[0], atol=1e-5)
    assert np.linalg.norm(found[0] - found[1]) > 1e-3


def test_features_are_what_the_backbone_gives(embedder):
    (image,) = images((80, 64))
    features = embedder.features([image])
    norm = np.linalg.norm(features)
    assert abs(norm - 1) > 1e-2, "the norm would not tell features from embeddings"
    np.testing.assert_allclose(features / norm, embedder.embed([image]), atol=1e-6)


def test_a_vector_of_zeros_stays_one():
    embedder = BackboneEmbedder(build("hybrid", image_size=32))
    with torch.no_grad():
        for parameter in embedder.backbone.parameters():
            parameter.zero_()
    assert (embedder.embed(images((40, 50))) == 0).all()


def test_threads_are_set():
    before = torch.get_num_threads()
    try:
        BackboneEmbedder(build("hybrid"), threads=1)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
