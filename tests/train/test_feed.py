"""The batches of an epoch: `edgecls_train.feed`."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from edgecls.contract.labels import Labels
from edgecls_train.feed import Batch, Feed, draw_order, made_ahead, plain_batches
from edgecls_train.recipe import Augmentation, Loss
from tests.train.made_data import stripes, stripes_recipe

# Both classes, 20 images: batches of 8, 8 and 4.
TRAIN = np.arange(0, 40, 2)


def epoch_of(recipe, number: int = 0) -> list[Batch]:
    return list(Feed(stripes(), TRAIN, recipe).epoch(number))


def images_of(batches: list[Batch]) -> list[bytes]:
    return [image.tobytes() for batch in batches for image in batch.images]


def changing(**augmentation):
    return dataclasses.replace(stripes_recipe(), augmentation=Augmentation(**augmentation))


def with_loss(**loss):
    return dataclasses.replace(stripes_recipe(), loss=Loss(**loss))


def test_an_epoch_holds_every_training_image_once():
    batches = epoch_of(stripes_recipe())
    assert [len(batch.answers) for batch in batches] == [8, 8, 4]
    assert Feed(stripes(), TRAIN, stripes_recipe()).steps == 3
    wanted = stripes().images[TRAIN].astype(np.float32)
    assert sorted(images_of(batches)) == sorted(image.tobytes() for image in wanted)


def test_images_stay_bytes_of_0_to_255_as_floats():
    images = epoch_of(stripes_recipe())[0].images
    assert images.dtype == np.float32
    assert images.max() > 200


def test_every_image_keeps_its_answer():
    for batch in epoch_of(stripes_recipe()):
        is_right_bright = batch.images[..., 4:, 0].mean(axis=(1, 2)) > batch.images[
            ..., :4, 0
        ].mean(axis=(1, 2))
        assert batch.answers.tolist() == is_right_bright.astype(int).tolist()


def test_the_next_epoch_has_another_order():
    first, second = (images_of(epoch_of(stripes_recipe(), number)) for number in (0, 1))
    assert sorted(first) == sorted(second)
    assert first != second


def test_augmentation_changes_an_image_anew_in_every_epoch():
    recipe = changing(shift=0.2, rotation_degrees=10.0)
    seen = images_of(epoch_of(recipe, 0)) + images_of(epoch_of(recipe, 1))
    originals = {image.astype(np.float32).tobytes() for image in stripes().images}
    assert len(set(seen)) == len(seen) == 40
    assert not originals & set(seen)


def test_an_epoch_depends_on_the_seed_and_its_number_alone():
    recipe = changing(shift=0.2, mixup=0.4)
    feed = Feed(stripes(), TRAIN, recipe)
    for number in range(3):
        list(feed.epoch(number))
    assert images_of(list(feed.epoch(3))) == images_of(epoch_of(recipe, 3))
    assert images_of(epoch_of(recipe.override(seed=1), 3)) != images_of(epoch_of(recipe, 3))


def test_mixing_gives_shares_of_both_classes_that_add_up_to_one():
    shares = np.concatenate([batch.answers for batch in epoch_of(changing(mixup=1.0))])
    assert shares.shape == (20, 2)
    assert shares.sum(axis=1) == pytest.approx(1.0)
    assert ((shares > 0.01) & (shares < 0.99)).any()


@pytest.mark.parametrize("name", ["mse", "mae", "focal"])
def test_losses_of_shares_get_shares(name):
    shares = np.concatenate([batch.answers for batch in epoch_of(with_loss(name=name))])
    assert sorted(map(tuple, shares.tolist())) == [(0.0, 1.0)] * 10 + [(1.0, 0.0)] * 10


def lopsided():
    """30 images of `left`, 10 of `right`."""
    return dataclasses.replace(stripes(), targets=np.repeat([0, 1], [30, 10]))


def test_class_weights_are_given_with_each_image():
    recipe = with_loss(balance="weights")
    for batch in Feed(lopsided(), np.arange(40), recipe).epoch(0):
        # 40 / (2 x 30) and 40 / (2 x 10).
        assert batch.weights.tolist() == pytest.approx(
            np.array([2 / 3, 2.0])[batch.answers].tolist()
        )


def test_the_weight_of_a_mixed_image_is_mixed():
    recipe = dataclasses.replace(with_loss(balance="weights"), augmentation=Augmentation(mixup=1.0))
    for batch in Feed(lopsided(), np.arange(40), recipe).epoch(0):
        assert batch.weights == pytest.approx(batch.answers @ [2 / 3, 2.0], rel=1e-5)


def test_without_balance_all_images_count_alike():
    assert epoch_of(stripes_recipe())[0].weights is None


def test_balanced_sampling_shows_equally_many_of_each_class():
    order = draw_order(lopsided().targets, with_loss(balance="sampling"), epoch=0)
    assert len(order) == 40
    assert np.bincount(lopsided().targets[order]).tolist() == [20, 20]


def test_balanced_sampling_repeats_no_image_before_all_of_its_class_came():
    order = draw_order(lopsided().targets, with_loss(balance="sampling"), epoch=0)
    times = np.bincount(order, minlength=40)
    assert times[:30].max() == 1
    assert times[30:].tolist() == [2] * 10


def test_balanced_sampling_with_a_rest_is_off_by_one_at_most():
    targets = np.repeat([0, 1, 2], [50, 1, 2])
    order = draw_order(targets, with_loss(balance="sampling"), epoch=4)
    assert sorted(np.bincount(targets[order]).tolist()) == [17, 18, 18]


def test_validation_images_come_in_order_unchanged_and_unweighted():
    recipe = dataclasses.replace(
        with_loss(balance="weights", label_smoothing=0.1), augmentation=Augmentation(shift=0.3)
    )
    (batch,) = plain_batches(stripes(), np.array([3, 1, 30]), recipe, 8)
    assert np.array_equal(batch.images, stripes().images[[3, 1, 30]])
    assert batch.answers.tolist() == [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
    assert batch.weights is None


def numbered(step: int) -> Batch:
    return Batch(np.full((1, 1, 1, 1), step, np.float32), np.array([step]))


def test_batches_made_ahead_come_in_order():
    batches = made_ahead(numbered, 50)
    assert [int(batch.answers[0]) for batch in batches] == list(range(50))


def test_only_a_few_batches_are_made_ahead():
    made = []

    def make(step: int) -> Batch:
        made.append(step)
        return numbered(step)

    batches = made_ahead(make, 1000)
    next(batches)
    batches.close()
    assert len(made) < 50


def test_an_error_in_a_thread_reaches_the_training():
    def make(step: int) -> Batch:
        raise OSError(f"the disk is gone at step {step}")

    with pytest.raises(OSError, match="the disk is gone"):
        list(made_ahead(make, 3))


def test_classes_without_training_images_do_no_harm():
    data = dataclasses.replace(stripes(), labels=Labels(("left", "right", "absent")))
    recipe = with_loss(balance="weights", label_smoothing=0.1)
    batch = next(Feed(data, TRAIN, recipe).epoch(0))
    assert batch.answers.shape == (8, 3)
    assert np.isfinite(batch.weights).all()
