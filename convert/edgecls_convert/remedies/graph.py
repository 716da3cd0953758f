"""A Keras network as a list of layer calls, to be built again with some of them changed."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from edgecls.errors import NotAClassifierError
from edgecls_convert.quiet import import_tensorflow, quietly

IMAGE: Final = 0
# (step, what it gave) -> what its readers shall get instead.
After: TypeAlias = Callable[["Step", Any], Any]


@dataclass(frozen=True, slots=True)
class Value:
    """Stands for the tensor with this number, in the arguments of a step."""

    number: int


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One call of one layer.

    Args:
        layer: A Keras layer, or an operation that was called on a tensor.
        arguments: Positional ones, with a `Value` for each tensor.
        keywords: The others.
        output: Number of the tensor that it gives.
    """

    layer: Any
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    output: int

    @property
    def inputs(self) -> tuple[int, ...]:
        """Numbers of the tensors that it takes."""
        _, keras = import_tensorflow()
        leaves = keras.tree.flatten((self.arguments, self.keywords))
        return tuple(leaf.number for leaf in leaves if isinstance(leaf, Value))

    @property
    def kind(self) -> str:
        """Class of the layer, such as `Conv2D`."""
        return type(self.layer).__name__


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """All calls of a network, in order.

    Args:
        shape: (1, height, width, depth) of the image, the tensor 0.
        steps: In an order in which they can be made.
        result: Number of the tensor with the scores.
    """

    shape: tuple[int, ...]
    steps: tuple[Step, ...]
    result: int

    def readers_of(self, number: int) -> list[Step]:
        """The steps that take a tensor."""
        return [step for step in self.steps if number in step.inputs]

    def only_reader_of(self, step: Step) -> Step | None:
        """The one step that takes what `step` gives; None where there are several, or the end."""
        readers = self.readers_of(step.output)
        return readers[0] if len(readers) == 1 and step.output != self.result else None

    @property
    def shared_layers(self) -> set[int]:
        """`id` of the layers that are called more than once: they cannot be changed."""
        calls = Counter(id(step.layer) for step in self.steps)
        return {layer for layer, count in calls.items() if count > 1}


def read_graph(network: Any) -> Graph:
    """Write down the calls of a network, those inside nested networks too.

    Args:
        network: Functional or sequential, from one image to one tensor of scores.

    Raises:
        NotAClassifierError: It computes something in Python between its layers.
    """
    _, keras = import_tensorflow()
    with quietly():
        image = keras.Input(batch_shape=network.inputs[0].shape, dtype="float32", name="image")
        reader = _Reader(keras)
        reader.name(image, IMAGE)
        result = reader.read(network, image)
    return Graph(tuple(image.shape), tuple(reader.steps), reader.numbers[id(result)])


def build_network(graph: Graph, *, batch: int | None = 1, after: After | None = None) -> Any:
    """The network of a graph.

    Args:
        graph: Its layers are used as they are, with the weights that they hold.
        batch: Number of images at a time; None for any.
        after: Called for what each step gives.

    Returns:
        `keras.Model`, named as all networks that are converted.
    """
    _, keras = import_tensorflow()
    with quietly():
        image = keras.Input((*graph.shape[1:],), batch_size=batch, dtype="float32", name="image")
        values = run_steps(graph, image, after)
        return keras.Model(image, values[graph.result], name="classifier")


def run_steps(graph: Graph, image: Any, after: After | None = None) -> dict[int, Any]:
    """Make the calls of a graph.

    Returns:
        Number -> tensor, of all of them.
    """
    _, keras = import_tensorflow()
    values = {IMAGE: image}

    def tensor_of(leaf: Any) -> Any:
        return values[leaf.number] if isinstance(leaf, Value) else leaf

    for step in graph.steps:
        arguments, keywords = keras.tree.map_structure(tensor_of, (step.arguments, step.keywords))
        output = step.layer(*arguments, **keywords)
        values[step.output] = after(step, output) if after else output
    return values


def copy_graph(graph: Graph) -> Graph:
    """The same with layers of its own: changing its weights leaves the original's alone."""
    keras = import_tensorflow()[1]
    copies: dict[int, Any] = {}
    for step in graph.steps:
        if isinstance(step.layer, keras.Layer) and id(step.layer) not in copies:
            copies[id(step.layer)] = type(step.layer).from_config(step.layer.get_config())
    copied = [
        dataclasses.replace(step, layer=copies.get(id(step.layer), step.layer))
        for step in graph.steps
    ]
    made = dataclasses.replace(graph, steps=tuple(copied))
    build_network(made)  # gives the copies their variables
    for step in graph.steps:
        if id(step.layer) in copies:
            copies[id(step.layer)].set_weights(step.layer.get_weights())
    return made


def chain_after(graph: Graph, step: Step) -> Iterator[Step]:
    """The steps after one, as long as each has only one reader and takes nothing else."""
    following = graph.only_reader_of(step)
    while following is not None and len(following.inputs) == 1:
        yield following
        following = graph.only_reader_of(following)


class _Reader:
    """Walks through nested networks and numbers the tensors."""

    def __init__(self, keras: Any) -> None:
        self._keras = keras
        self._kept: list[Any] = []  # a tensor that is gone would give its `id` to another
        self.numbers: dict[int, int] = {}
        self.steps: list[Step] = []

    def name(self, tensor: Any, number: int) -> None:
        self._kept.append(tensor)
        self.numbers[id(tensor)] = number

    def read(self, network: Any, image: Any) -> Any:
        if isinstance(network, self._keras.Sequential):
            for layer in network.layers:
                image = self._call(layer, image)
            return image
        try:
            copied = self._keras.models.clone_model(
                network,
                input_tensors=self._keras.tree.map_structure(lambda _: image, network.input),
                clone_function=lambda layer: layer,
                call_function=self._call,
            )
        except NotAClassifierError:
            raise  # from a network inside: it says which
        except ValueError as wrong:
            raise NotAClassifierError(
                f"the network {network.name!r} computes in Python between its layers, so it"
                " cannot be changed layer by layer",
                hint="build it as a functional or sequential model",
            ) from wrong
        return copied.outputs[0]

    def _call(self, layer: Any, *arguments: Any, **keywords: Any) -> Any:
        if isinstance(layer, self._keras.layers.InputLayer):
            return layer(*arguments, **keywords)
        output = layer(*arguments, **keywords)
        if isinstance(layer, self._keras.Model):
            self._read_nested(layer, arguments, output)
            return output
        if not self._keras.utils.is_keras_tensor(output):
            raise NotAClassifierError(
                f"the layer {layer.name!r} gives several tensors, wanted one",
                hint="build the network of layers that give one tensor each",
            )
        number = len(self.steps) + 1
        taken = self._keras.tree.map_structure(self._to_value, (arguments, keywords))
        keywords = {name: value for name, value in taken[1].items() if name != "training"}
        self.steps.append(Step(layer, tuple(taken[0]), keywords, number))
        self.name(output, number)
        return output

    def _read_nested(self, network: Any, arguments: tuple[Any, ...], output: Any) -> None:
        taken = self._keras.tree.flatten(arguments)
        if len(taken) != 1 or not self._keras.utils.is_keras_tensor(output):
            raise NotAClassifierError(
                f"the network {network.name!r} inside takes or gives several tensors, wanted one",
                hint="build it of networks with one input and one output",
            )
        outer = taken[0]
        inner = self._keras.Input(batch_shape=outer.shape, dtype=outer.dtype)
        self.name(inner, self.numbers[id(outer)])
        self.name(output, self.numbers[id(self.read(network, inner))])

    def _to_value(self, leaf: Any) -> Any:
        return Value(self.numbers[id(leaf)]) if id(leaf) in self.numbers else leaf
