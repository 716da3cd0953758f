"""A short fine-tune in which the network feels the rounding, and learns to answer as before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edgecls.console import Advance
from edgecls.imaging.prepare import Image
from edgecls_convert.quiet import import_tensorflow, quietly
from edgecls_convert.remedies.graph import Graph, Step, build_network, copy_graph
from edgecls_convert.remedies.observe import value_ranges
from edgecls_convert.remedies.weights import fake_quantized, kernel_steps

# Softer than the scores themselves, which are nearly 0 or 1 on pictures that were trained on.
_TEMPERATURE: Final = 4.0
_SMALLEST_SCORE: Final = 1e-7
_RANGE_IMAGES: Final = 128
# What the converter fuses into the layer before, or only passes on: rounded once, at its end.
_FUSED: Final = ("ReLU", "Activation", "BatchNormalization")
_PASSED_ON: Final = ("Flatten", "Reshape", "Dropout", "ZeroPadding2D", "MaxPooling2D", "Softmax")


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast.

    Args:
        steps: Batches.
        batch: Images in each.
        rate: Learning rate at the start; it falls to zero along a cosine.
    """

    steps: int = 300
    batch: int = 32
    rate: float = 1e-4


SCHEDULE: Final = Schedule()


def fine_tune(
    graph: Graph,
    teacher: Any,
    images: Sequence[Image],
    form: str,
    seed: int,
    advance: Advance,
    schedule: Schedule = SCHEDULE,
) -> Graph:
    """Train on with fake quantization until the rounded network answers as the float one does.

    Weights and activations are rounded in the forward pass, and gradients pass the rounding as if
    it were not there (straight-through estimator). What is learned are the float network's own
    scores (distillation), so labels are not needed, and nothing is learned that float does not
    know.

    Args:
        graph: After `fold_norms`, equalized or not; it stays as it is.
        teacher: The float network, with any batch size.
        images: uint8 training pictures.
        form: Name of the form that the weights will have.
        seed: Of the order of the images.
        advance: Told after each step.
        schedule: How long and how fast.

    Source:
        Jacob et al. 2018, section 3 (arXiv:1712.05877); Hinton et al. 2015 (arXiv:1503.02531).
    """
    _, keras = import_tensorflow()
    graph = copy_graph(graph)
    pictures = np.stack(images)
    scores = _predict(teacher, pictures)
    gives_shares = bool(scores.min() >= 0 and abs(scores.sum(axis=-1) - 1).max() < 1e-3)
    goals = _soften(scores if gives_shares else _softmax(scores))
    student = _build_student(graph, images[:_RANGE_IMAGES])
    rate = keras.optimizers.schedules.CosineDecay(schedule.rate, schedule.steps)
    optimizer = keras.optimizers.Adam(rate, clipnorm=1.0)
    owners = {id(step.layer.kernel): step.layer for step in kernel_steps(graph)}
    train = _make_step(student, owners, form, optimizer, gives_shares=gives_shares)
    for step, chosen in enumerate(_batches(len(images), schedule, seed), start=1):
        train(pictures[chosen], goals[chosen])
        advance(step)
    return graph


def _make_step(
    student: Any, owners: dict[int, Any], form: str, optimizer: Any, *, gives_shares: bool
) -> Callable[[Any, Any], Any]:
    """One step of training: (images, goals) -> loss.

    Args:
        student: Shares its variables with the graph.
        owners: `id` of a kernel -> its layer.
        form: Name of the form that the weights will have.
        optimizer: Of Keras.
        gives_shares: Whether the network ends in a softmax.
    """
    tensorflow, keras = import_tensorflow()
    ops = keras.ops
    variables = student.trainable_variables
    optimizer.build(variables)
    fixed = [variable.value for variable in student.non_trainable_variables]

    def measure_loss(batch: Any, goal: Any) -> Any:
        values = [ops.convert_to_tensor(variable) for variable in variables]
        rounded = [
            fake_quantized(owners[id(variable)], value, form) if id(variable) in owners else value
            for variable, value in zip(variables, values, strict=True)
        ]
        scores, _ = student.stateless_call(
            rounded, fixed, ops.cast(batch, "float32"), training=False
        )
        shares = scores if gives_shares else ops.softmax(scores)
        answer = ops.log(ops.maximum(shares, _SMALLEST_SCORE))
        answer = ops.log_softmax(answer / _TEMPERATURE)
        return -ops.mean(ops.sum(goal * answer, axis=-1)) * _TEMPERATURE**2

    def train(batch: Any, goal: Any) -> Any:
        with tensorflow.GradientTape() as tape:
            loss = measure_loss(batch, goal)
        gradients = tape.gradient(loss, [variable.value for variable in variables])
        optimizer.apply(gradients, variables)
        return loss

    step: Callable[[Any, Any], Any] = tensorflow.function(train, autograph=False)
    return step


def _build_student(graph: Graph, images: Sequence[Image]) -> Any:
    """The network with its tensors rounded as the converter will: to 256 steps of their range."""
    _, keras = import_tensorflow()
    rounded = [step.output for step in graph.steps if _is_rounded(graph, step)]
    ranges = value_ranges(graph, rounded, images)

    def after(step: Step, output: Any) -> Any:
        if step.output not in ranges:
            return output
        low, high = ranges[step.output]
        # Zero is always among the steps; a tensor that is always zero has no steps.
        low, high = min(low, 0.0), max(high, 0.0, min(low, 0.0) + 1e-6)
        return keras.quantizers.fake_quant_with_min_max_vars(output, low, high)

    return build_network(graph, batch=None, after=after)


def _is_rounded(graph: Graph, step: Step) -> bool:
    if step.output == graph.result or step.kind in _PASSED_ON:
        return False
    reader = graph.only_reader_of(step)
    return reader is None or reader.kind not in _FUSED


def _predict(teacher: Any, pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    with quietly():
        scores = [
            np.asarray(teacher(pictures[start : start + 64].astype(np.float32), training=False))
            for start in range(0, len(pictures), 64)
        ]
    return np.concatenate(scores)


def _soften(scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Shares of 1, as a softmax at the temperature would give them."""
    raised = np.exp(np.log(np.maximum(scores, _SMALLEST_SCORE)) / _TEMPERATURE)
    softened: npt.NDArray[np.float32] = raised / raised.sum(axis=-1, keepdims=True)
    return softened


def _softmax(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: npt.NDArray[np.float32] = raised / raised.sum(axis=-1, keepdims=True)
    return shares


def _batches(count: int, schedule: Schedule, seed: int) -> Iterator[npt.NDArray[np.int64]]:
    """Positions of each batch: all images in a new order, again and again."""
    random = np.random.default_rng(seed)
    order = np.empty(0, np.int64)
    for _ in range(schedule.steps):
        while len(order) < schedule.batch:
            order = np.concatenate([order, random.permutation(count)])
        yield order[: schedule.batch]
        order = order[schedule.batch :]
