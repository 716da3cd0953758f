"""Every form that can be asked for: what it is, what it takes, and that boards can run it."""

import dataclasses

import numpy as np
import pytest

from edgecls.classifier import Classifier
from edgecls.console import progress
from edgecls.contract.modelfile import load_model_file
from edgecls.contract.quantization import QuantParams
from edgecls.errors import EngineError, InvalidValueError, ModelFileError
from edgecls_convert.attempt import convert_once, open_classifier
from edgecls_convert.convert import convert_run
from edgecls_convert.forms import FORMS, INT8, Target
from edgecls_convert.network import to_network
from edgecls_convert.quiet import import_tensorflow
from edgecls_convert.rules import check_rules
from tests.convert.conftest import TOLERANT
from tests.support.edited_model import edited, set_field

TYPES = [
    *((form, kind, "float32") for form in ("int8", "per-tensor") for kind in ("uint8", "int8")),
    ("int8", "int8", "int8"),
    ("int8", "float32", "uint8"),
    ("float32", "float32", "float32"),
    ("float16", "float32", "float32"),
    ("dynamic", "float32", "float32"),
    ("int16x8", "float32", "float32"),
]


@pytest.fixture(scope="module")
def convert_to(digits_run, tmp_path_factory):
    """A function that converts the digits to a target, once."""
    made = {}

    def convert(target):
        if target not in made:
            output = tmp_path_factory.mktemp("form") / "model.tflite"
            settings = dataclasses.replace(TOLERANT, target=target)
            made[target] = convert_run(digits_run, output, settings, progress)
        return made[target]

    return convert


@pytest.mark.parametrize("types", [pytest.param(t, id=" ".join(t)) for t in TYPES])
def test_every_form_keeps_the_accuracy_and_runs_from_its_file(convert_to, types):
    target = Target(*types)
    conversion = convert_to(target)
    model = load_model_file(conversion.path)
    assert (model.input.dtype, model.output.dtype) == types[1:]
    assert model.card.provenance["conversion"]["form"] == target.form
    assert model.card.metrics[target.form]["top1"] == round(conversion.comparison.in_int8.top1, 6)
    with_engine = Classifier.open(conversion.path)
    frame = np.zeros((28, 28, 3), np.uint8)
    assert with_engine.classify(frame).scores.sum() == pytest.approx(1.0, abs=0.02)


def test_float32_is_the_model_that_everything_is_compared_with(convert_to):
    assert convert_to(Target("float32")).comparison.agreement == 1.0


def test_forms_without_calibration_read_no_calibration_pictures(convert_to):
    conversion = convert_to(Target("float16"))
    assert conversion.calibration is None
    assert conversion.to_json()["calibration_images"] == 0


def test_each_form_is_as_small_as_it_says(convert_to, conversion):
    sizes = {
        name: len(convert_to(Target(name)).model.flatbuffer)
        for name in ("float32", "float16", "dynamic")
    }
    int8 = len(conversion.model.flatbuffer)
    # Of a network this small, names and tables are a large part.
    assert int8 < 0.6 * sizes["float32"]
    assert sizes["float16"] < 0.75 * sizes["float32"]
    assert sizes["dynamic"] < 0.6 * sizes["float32"]


def test_per_tensor_has_one_scale_a_layer(convert_to):
    structure = convert_to(Target("per-tensor", "uint8", "float32")).model.structure
    scales = [
        len(structure.tensors[operator.inputs[1]].scales)
        for operator in structure.operators
        if operator.name in ("CONV_2D", "FULLY_CONNECTED")
    ]
    assert scales == [1, 1, 1, 1]


def test_an_int8_input_holds_the_byte_minus_128(convert_to):
    model = convert_to(Target("int8", "int8", "int8")).model
    assert model.input.to_quant_params() == QuantParams(1.0, -128, "int8")


@pytest.mark.parametrize(
    ("form", "wanted"),
    [
        pytest.param("int8", ("uint8", "uint8"), id="int8 takes bytes"),
        pytest.param("per-tensor", ("uint8", "uint8"), id="so does per-tensor"),
        pytest.param("float32", ("float32", "float32"), id="float32 takes floats"),
        pytest.param("dynamic", ("float32", "float32"), id="dynamic takes floats"),
        pytest.param("int16x8", ("float32", "float32"), id="16 bits take floats"),
    ],
)
def test_types_that_were_not_asked_for_are_the_usual_ones(form, wanted):
    target = Target(form)
    assert (target.input_type, target.output_type) == wanted


@pytest.mark.parametrize("form", FORMS)
def test_every_form_says_in_one_sentence_what_it_costs(form):
    assert 40 < len(FORMS[form].cost) < 220
    assert ". " not in FORMS[form].cost


@pytest.mark.parametrize(
    ("target", "message"),
    [
        pytest.param(("int4",), "no form 'int4', wanted one of int8, float32", id="unknown"),
        pytest.param(("float32", "uint8"), "input of the form float32 cannot be 'uint8'", id="in"),
        pytest.param(("int8", "", "int16"), "output of the form int8 cannot be 'int16'", id="out"),
    ],
)
def test_what_cannot_be_made_is_refused(target, message):
    with pytest.raises(InvalidValueError, match=message):
        Target(*target)


@pytest.mark.parametrize(
    ("made", "asked", "message"),
    [
        pytest.param(
            Target("float32"), INT8, "its input is float32 .* wanted uint8 with", id="float32"
        ),
        pytest.param(
            Target("int8", "int8", "float32"), INT8, "wanted uint8 with scale 1.0", id="int8 image"
        ),
        pytest.param(
            Target("int8", "uint8", "float32"), INT8, "its output is float32, wanted", id="output"
        ),
    ],
)
def test_what_was_made_must_be_what_was_asked_for(convert_to, made, asked, message):
    with pytest.raises(ModelFileError, match=message):
        check_rules(convert_to(made).model, asked)


def test_a_layer_without_16_bits_is_told(conversion):
    _, keras = import_tensorflow()
    image = keras.Input((28, 28, 1))
    hidden = keras.layers.Conv2D(4, 3, activation="hard_silu")(image)
    pooled = keras.layers.GlobalAveragePooling2D()(hidden)
    model = keras.Model(image, keras.layers.Dense(10, activation="softmax")(pooled))
    network, card = to_network(model, (28, 28, 1)), conversion.model.card
    with pytest.raises(ModelFileError, match=r"to int16x8: .* 'HARD_SWISH'") as refused:
        convert_once(network, card, Target("int16x8"), conversion.calibration)
    assert refused.value.hint == "choose another form: --form int8"


def test_a_form_that_the_engine_cannot_run_is_told(conversion):
    too_new = edited(conversion.model.flatbuffer, set_field("operatorCodes.0.version", 99))
    model = dataclasses.replace(conversion.model, flatbuffer=too_new)
    with pytest.raises(EngineError, match=r"litert cannot run .*; nothing was written") as refused:
        open_classifier(model)
    assert refused.value.hint == "choose another form: --form int8"
