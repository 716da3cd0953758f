"""From a run folder to a model file: what is in it, and that nothing bad is ever written."""

import json
import os
import subprocess
import sys

import ai_edge_litert
import numpy as np
import pytest

from edgecls.console import progress
from edgecls.contract.files import write_atomically
from edgecls.contract.modelfile import load_model_file
from edgecls.errors import AccuracyLossError, InvalidValueError, RunError
from edgecls.runtimes.verdicts import Verdicts, default_verdicts, key_of
from edgecls_convert.cli import convert
from edgecls_convert.convert import Settings, convert_run
from edgecls_convert.quiet import import_tensorflow
from tests.convert.conftest import TOLERANT
from tests.convert.runs import with_network

COMMAND = (
    "import sys, typer; from edgecls_convert.cli import convert;"
    "sys.argv[0] = 'convert'; typer.run(convert)"
)


@pytest.fixture(scope="module")
def other_process(digits_run, tmp_path_factory):
    """The same conversion, by the command, in a process of its own."""
    output = tmp_path_factory.mktemp("again") / "model.tflite"
    options = "--int8 --json --max-drop 5 --calibration 60 --output".split()
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, str(digits_run.path), *options, str(output)],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    return output, done


def test_the_same_run_gives_the_same_bytes_in_the_same_process(digits_run, conversion, tmp_path):
    again = convert_run(digits_run, tmp_path / "again.tflite", TOLERANT, progress)
    assert again.path.read_bytes() == conversion.path.read_bytes()


def test_the_same_run_gives_the_same_bytes_in_another_process(conversion, other_process):
    assert other_process[0].read_bytes() == conversion.path.read_bytes()


def test_what_ran_here_needs_no_probe_here_any_more(other_process):
    model = load_model_file(other_process[0])
    key = key_of(model, "litert", ai_edge_litert.__version__)
    assert Verdicts(default_verdicts().folder).has(key)  # as the other process left it


def test_json_is_one_line_with_the_promised_fields(conversion, other_process):
    output, done = other_process
    assert done.stdout.count("\n") == 1
    found = json.loads(done.stdout)
    assert found["model"] == str(output)
    assert found["bytes"] == output.stat().st_size
    assert found["float"]["top1"] - found["int8"]["top1"] == pytest.approx(found["drop"], abs=1e-6)
    assert found["agreement"] == round(conversion.comparison.agreement, 6)
    assert found["calibration_images"] == 60
    assert found["decision"]["temperature"] == conversion.model.card.output.temperature
    assert found["decision"]["fitted_on"] == 100
    assert found["operators"]["FULLY_CONNECTED"] == {"count": 2, "version": 4}


def test_stderr_shows_progress_and_none_of_tensorflows_chatter(other_process):
    lines = other_process[1].stderr.splitlines()
    # A slow machine adds lines on the way: what counts is each title's last one, and no other.
    assert {line.split(":")[0]: line for line in lines} == {
        "reading calibration pictures": "reading calibration pictures: 60/60",
        "converting to float and int8": "converting to float and int8: 3/3 int8",
        "measuring float and int8": "measuring float and int8: 300/300",
        "fitting temperature and thresholds": "fitting temperature and thresholds: 100/100",
        "measuring what is usual": "measuring what is usual: 400/400",
    }


def test_people_get_a_short_table_and_the_next_command(digits_run, tmp_path, capsys):
    output = tmp_path / "digits.tflite"
    convert(run=digits_run.path, output=output, max_drop=5.0, calibration=60)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{output}: ")
    assert lines[1].startswith("int8: weights and activations of 8 bits")
    assert lines[2].startswith("calibrated on 60 training pictures (6 of each of 10 classes), val")
    assert lines[4] == "on 300 held-out pictures"
    assert [line.split()[0] for line in lines[5:8]] == ["float", "int8", "agreement"]
    assert lines[-1] == f"next: edgecls camera --model {output}"


def test_the_card_survives(digits_run, conversion):
    before, after = digits_run.load_card(), load_model_file(conversion.path).card
    assert after.labels == before.labels
    assert after.preprocessing == before.preprocessing
    assert after.metrics["val"] == {"top1": 0.5}
    assert after.metrics["int8"]["top1"] == round(conversion.comparison.in_int8.top1, 6)
    assert {k: after.provenance[k] for k in ("data", "recipe", "seed")} == before.provenance


def test_the_card_says_how_it_was_converted(conversion):
    found = load_model_file(conversion.path).card.provenance["conversion"]
    assert found["form"] == "int8"
    assert found["calibration_images"] == 60
    assert found["calibration_per_class"] == dict.fromkeys("0123456789", 6)
    assert found["minimum_runtime"] == "1.14.0"
    assert set(found) >= {"seed", "tensorflow", "keras"}


def test_the_card_says_what_the_model_costs(conversion):
    cost = load_model_file(conversion.path).card.cost
    assert cost["minimum_runtime"] == "1.14.0"
    assert cost["operators"]["FULLY_CONNECTED"] == {"count": 2, "version": 4}
    assert cost["macs"] == 14 * 14 * 8 * 9 + 6 * 6 * 16 * 9 * 8 + 576 * 32 + 32 * 10
    # Most is alive at the first convolution: what it writes (14x14x8), the image as int8, and as
    # uint8, which is kept to the end. Each begins at a multiple of 64 bytes.
    assert cost["arena_bytes"] == (14 * 14 * 8 + 32) + (28 * 28 + 48) + 28 * 28


def test_the_card_says_what_is_usual_in_what_was_learnt(conversion):
    learnt = load_model_file(conversion.path).card.learnt
    # Digits are gray: there is nothing to say of colours.
    assert list(learnt) == ["brightness", "contrast", "score", "sharpness"]
    # Of 28x28 pixels some 100 are ink; the mean of all 5,000 digits is 33 of 255.
    assert 25 < learnt["brightness"].median < 45
    assert 0 < learnt["score"].median <= 1


def test_the_model_does_not_tell_where_the_pictures_lie(folder_run, tmp_path):
    output = convert_folder_run(folder_run, tmp_path)
    assert load_model_file(output).card.provenance["data"] == "pictures"
    assert str(tmp_path).encode() not in output.read_bytes()


def convert_folder_run(folder_run, tmp_path):
    """The two brightness classes, told apart by a network with weights set by hand."""
    _, keras = import_tensorflow()
    image = keras.Input((8, 8, 3))
    mean = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(image))
    network = keras.Model(image, keras.layers.Dense(2, activation="softmax")(mean))
    network.layers[-1].set_weights([np.float32([[-3, 3]] * 3), np.float32([4.5, -4.5])])
    network.save(folder_run.model_path)
    return convert_run(folder_run, tmp_path / "out.tflite", Settings(), progress).path


def test_colour_pictures_of_a_folder_convert_without_loss(folder_run, tmp_path):
    metrics = load_model_file(convert_folder_run(folder_run, tmp_path)).card.metrics
    assert (metrics["float"]["top1"], metrics["int8"]["top1"]) == (1.0, 1.0)


@pytest.fixture(scope="module")
def fragile_run(digits_run, tmp_path_factory):
    """A run whose float model is as good as before, but whose int8 form cannot be.

    One hidden unit is always at 100,000 and weighs nothing in the scores. Its layer's activations
    share one scale, so every other unit, below 400, is rounded to zero.
    """
    _, keras = import_tensorflow()
    network = keras.models.load_model(digits_run.model_path)
    kernel, bias = network.get_layer("hidden").get_weights()
    bias[0] = 100_000
    network.get_layer("hidden").set_weights([kernel, bias])
    kernel, bias = network.get_layer("scores").get_weights()
    kernel[0] = 0
    network.get_layer("scores").set_weights([kernel, bias])
    return with_network(digits_run, tmp_path_factory.mktemp("fragile") / "1", network)


def test_a_model_that_collapses_is_refused_and_not_written(fragile_run, tmp_path):
    settings = Settings(calibration=60, remedy="none")
    with pytest.raises(AccuracyLossError, match=r"points less, .* lost most: .* no model was writ"):
        convert_run(fragile_run, tmp_path / "model.tflite", settings, progress)
    assert list(tmp_path.iterdir()) == []


def test_the_model_that_was_there_stays_when_the_new_one_is_refused(digits_run, tmp_path):
    output = tmp_path / "model.tflite"
    write_atomically(output, b"the old model")
    demanding = Settings(max_drop=-100.0, calibration=10, remedy="none")
    with pytest.raises(AccuracyLossError, match="at most -100 are allowed"):
        convert_run(digits_run, output, demanding, progress)
    assert output.read_bytes() == b"the old model"
    assert list(tmp_path.iterdir()) == [output]


def test_no_run_at_all_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunError, match="there is no complete run in 'runs/train'"):
        convert()


def test_a_run_that_does_not_exist_is_told(tmp_path):
    with pytest.raises(RunError, match="there is no run folder"):
        convert(run=tmp_path / "7")


def test_an_interrupted_run_is_told(folder_run):
    (folder_run.path / "metrics.json").unlink()
    with pytest.raises(RunError, match="is not complete"):
        convert(run=folder_run.path)


def test_a_missing_output_folder_is_told_before_any_work(folder_run, tmp_path):
    with pytest.raises(InvalidValueError, match=r"there is no folder '.*nowhere' to write 'm\.tfl"):
        convert(run=folder_run.path, output=tmp_path / "nowhere" / "m.tflite")


def test_a_folder_as_output_is_told_before_any_work(folder_run, tmp_path):
    with pytest.raises(InvalidValueError, match="is a folder, wanted the name of a file"):
        convert(run=folder_run.path, output=tmp_path)


def test_a_negative_seed_is_told(folder_run):
    with pytest.raises(InvalidValueError, match="seed -1 is negative"):
        convert(run=folder_run.path, seed=-1)


def test_the_command_loads_nothing_heavy_before_it_runs():
    heavy = "{'numpy', 'cv2', 'tensorflow', 'keras', 'ai_edge_litert', 'flatbuffers'}"
    code = f"import sys, edgecls_convert.cli; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
