"""The words for layers: `edgecls_train.layers`."""

from __future__ import annotations

import pytest

from edgecls.errors import RecipeError
from edgecls_train.layers import (
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalPool,
    Pool,
    follow_shapes,
    parse_layer,
)


@pytest.mark.parametrize(
    ("text", "layer"),
    [
        ("conv 32", Conv(32)),
        ("conv 16 same", Conv(16, same=True)),
        ("conv 16 norm same", Conv(16, same=True, norm=True)),
        ("pool", Pool()),
        ("global-pool", GlobalPool()),
        ("flatten", Flatten()),
        ("dense 64", Dense(64)),
        ("dropout 0.3", Dropout(0.3)),
    ],
)
def test_a_layer_is_read_from_its_words(text, layer):
    assert parse_layer(text) == layer


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("lambda 3", id="a layer that is not on the list"),
        pytest.param("conv", id="a convolution without filters"),
        pytest.param("conv 0", id="no filters"),
        pytest.param("conv many", id="a word for a number"),
        pytest.param("conv 32 big", id="an unknown option"),
        pytest.param("conv 32 same same", id="an option given twice"),
        pytest.param("dense 9999999", id="too many units"),
        pytest.param("dense 1 2", id="a figure too many"),
        pytest.param("pool 3", id="a figure where none belongs"),
        pytest.param("dropout 1.0", id="everything dropped"),
        pytest.param("dropout nan", id="no number"),
    ],
)
def test_what_is_no_layer_is_refused_with_the_list_of_layers(text):
    with pytest.raises(RecipeError, match=r"is not known(.|\n)*'conv N \[same\] \[norm\]', 'pool'"):
        parse_layer(text)


@pytest.mark.parametrize(
    ("layers", "shape", "features"),
    [
        pytest.param([Flatten()], (28, 28, 1), 784, id="flatten keeps every value"),
        pytest.param([Conv(32), Flatten()], (28, 28, 1), 26 * 26 * 32, id="conv trims the border"),
        pytest.param([Conv(8, same=True), Flatten()], (9, 9, 1), 9 * 9 * 8, id="same does not"),
        pytest.param([Pool(), Flatten()], (5, 7, 3), 2 * 3 * 3, id="pool halves, rounded down"),
        pytest.param([GlobalPool()], (5, 7, 3), 3, id="global-pool leaves one value a channel"),
        pytest.param([Flatten(), Dense(64), Dropout(0.5)], (4, 4, 1), 64, id="dense decides"),
    ],
)
def test_shapes_are_followed_through_the_layers(layers, shape, features):
    assert follow_shapes(layers, shape) == (features,)


@pytest.mark.parametrize(
    ("layers", "shape", "problem"),
    [
        pytest.param(
            [Pool(), Conv(8), Flatten()],
            (4, 4, 1),
            r"layer 2 \(conv\) leaves nothing of 2x2 pixels",
            id="the image is too small",
        ),
        pytest.param([Conv(8)], (8, 8, 1), "end with an image", id="flatten is forgotten"),
        pytest.param([], (8, 8, 1), "end with an image", id="there are no layers"),
        pytest.param(
            [Dense(8)],
            (8, 8, 1),
            r"layer 1 \(dense\) needs 'flatten'",
            id="dense stands before flatten",
        ),
        pytest.param(
            [GlobalPool(), Pool()],
            (8, 8, 1),
            r"layer 2 \(pool\) needs an image",
            id="pool stands after global-pool",
        ),
    ],
)
def test_layers_that_do_not_fit_are_refused(layers, shape, problem):
    with pytest.raises(RecipeError, match=problem):
        follow_shapes(layers, shape)
