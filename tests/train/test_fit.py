"""The training itself: `edgecls_train.fit`."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from edgecls.errors import RecipeError
from edgecls_train.fit import fit, predict, train_batches
from edgecls_train.recipe import Augmentation, Optimizer
from edgecls_train.split import Split
from tests.train.made_data import stripes, stripes_recipe

# 40 pictures: 20 to train, 10 to validate, 10 to test, both classes in each.
SPLIT = Split(
    train=np.arange(0, 40, 2),
    val=np.arange(1, 40, 4),
    test=np.arange(3, 40, 4),
)


def epochs_of_batches(recipe, epochs: int) -> list:
    """Batches of 8, 8 and 4."""
    return list(itertools.islice(train_batches(stripes(), SPLIT.train, recipe), 3 * epochs))


def test_an_epoch_of_batches_holds_every_training_image_once():
    batches = epochs_of_batches(stripes_recipe(), 1)
    assert [len(targets) for _, targets in batches] == [8, 8, 4]
    seen = np.concatenate([images for images, _ in batches])
    wanted = stripes().images[SPLIT.train]
    assert sorted(image.tobytes() for image in seen) == sorted(
        image.astype(np.float32).tobytes() for image in wanted
    )


def test_images_stay_bytes_of_0_to_255_as_floats():
    images, _ = epochs_of_batches(stripes_recipe(), 1)[0]
    assert images.dtype == np.float32
    assert images.max() > 200


def test_the_next_epoch_has_another_order():
    batches = epochs_of_batches(stripes_recipe(), 2)
    first, second = (np.concatenate([t for _, t in batches[i : i + 3]]) for i in (0, 3))
    assert sorted(first) == sorted(second)
    assert first.tolist() != second.tolist()


def test_augmentation_changes_an_image_anew_in_every_epoch():
    recipe = dataclasses.replace(stripes_recipe(), augmentation=Augmentation(shift=0.2))
    batches = epochs_of_batches(recipe, 2)
    originals = {image.astype(np.float32).tobytes() for image in stripes().images}
    seen = [image.tobytes() for images, _ in batches for image in images]
    assert len(set(seen)) == len(seen) == 40
    assert not originals & set(seen)


def test_it_learns_what_can_be_learned():
    recipe = stripes_recipe().override(epochs=30)
    model, history = fit(stripes(), SPLIT, recipe)
    scores = predict(model, stripes(), SPLIT.test)
    assert scores.shape == (10, 2)
    assert (scores.argmax(axis=1) == stripes().targets[SPLIT.test]).all()
    assert history[-1].loss < history[0].loss


def test_every_epoch_is_reported_and_kept():
    reported = []
    _, history = fit(stripes(), SPLIT, stripes_recipe().override(epochs=3), reported.append)
    assert [epoch.epoch for epoch in history] == [1, 2, 3]
    assert tuple(reported) == history
    assert all(0.0 <= epoch.val_accuracy <= 1.0 and epoch.seconds > 0.0 for epoch in history)


def weights_for(seed: int) -> list[bytes]:
    recipe = dataclasses.replace(stripes_recipe(), augmentation=Augmentation(shift=0.1))
    model, _ = fit(stripes(), SPLIT, recipe.override(seed=seed))
    return [weights.tobytes() for weights in model.get_weights()]


def test_the_same_seed_gives_the_same_weights():
    assert weights_for(seed=4) == weights_for(seed=4)


def test_another_seed_gives_other_weights():
    assert weights_for(seed=4) != weights_for(seed=5)


def test_a_training_that_breaks_down_says_so():
    # Every step moves each weight by about 10: over ten layers of 64 that overflows.
    recipe = dataclasses.replace(
        stripes_recipe(),
        layers=("flatten", *["dense 64"] * 15),
        optimizer=Optimizer(learning_rate=10.0),
    )
    with pytest.raises(RecipeError, match=r"broke down in epoch 1(.|\n)*lower learning_rate"):
        fit(stripes(), SPLIT, recipe)
