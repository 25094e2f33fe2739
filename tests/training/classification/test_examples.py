"""Images on their way to the network."""

import numpy as np
import pytest

from artdet.embedders.base import Preprocessing
from artdet.embedders.preprocess import crops, prepared
from artdet.errors import InputError
from artdet.images.reader import read_image
from artdet.training.classification.augmentations import augmentation
from artdet.training.classification.examples import Images, grouped

SQUARE = Preprocessing(image_size=32, fit="squash")


@pytest.mark.parametrize(
    ("count", "batch", "sizes"),
    [(0, 4, []), (1, 4, [1]), (8, 4, [4, 4]), (9, 4, [4, 5]), (10, 4, [4, 4, 2]), (3, 1, [1, 2])],
    ids=["none", "one", "even", "one left over", "two left over", "batches of one"],
)
def test_batches(count, batch, sizes):
    groups = grouped(np.arange(count), batch)
    assert [len(group) for group in groups] == sizes
    assert np.concatenate([*groups, np.arange(0)]).tolist() == list(range(count))


def test_no_images():
    assert list(Images((), SQUARE).batches([])) == []


def test_images_as_they_are(artworks):
    groups = grouped(np.array([4, 0, 2]), 2)
    batches = list(Images(artworks.paths, SQUARE, threads=2).batches(groups))
    seen = np.concatenate(batches)
    for image, place in zip(seen, [4, 0, 2], strict=True):
        np.testing.assert_array_equal(image, prepared(read_image(artworks.paths[place]).pixels, SQUARE))


@pytest.mark.parametrize("kept", [0, 1 << 20], ids=["nothing kept", "kept"])
def test_changed_images_depend_on_epoch_and_place_in_it_alone(artworks, kept):
    augment = augmentation(({"name": "jitter"}, {"name": "flip"}))
    groups = grouped(np.arange(10), 4)

    def seen(epoch, first=0):
        images = Images(artworks.paths, SQUARE, augment=augment, seed=1, threads=3, kept_bytes=kept)
        return np.concatenate(list(images.training_batches(groups, epoch=epoch, first=first)))

    np.testing.assert_array_equal(seen(2), seen(2))
    np.testing.assert_array_equal(seen(2)[4:], seen(2, first=1))
    assert (seen(2) != seen(3)).any()


def test_views_of_an_image_follow_one_another(artworks):
    images = Images(artworks.paths, SQUARE)
    batches = list(images.views(grouped(np.array([3, 1]), 2), 5))
    wanted = [view for place in (3, 1) for view in crops(read_image(artworks.paths[place]).pixels, SQUARE, 5)]
    np.testing.assert_array_equal(np.concatenate(batches), np.stack(wanted))


def test_a_file_that_is_no_image_is_named(artworks):
    artworks.paths[1].write_bytes(b"no image")
    with pytest.raises(InputError, match=r"works/1\.png: .*Take the image out of its source"):
        list(Images(artworks.paths, SQUARE).batches([np.array([0, 1])]))
