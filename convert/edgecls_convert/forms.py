"""The forms that a network can be converted to, and what each of them costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from edgecls.errors import InvalidValueError

FormName: TypeAlias = Literal["int8", "float32", "float16", "dynamic", "per-tensor", "int16x8"]
TensorType: TypeAlias = Literal["uint8", "int8", "float32"]

_ANY: Final[tuple[TensorType, ...]] = ("uint8", "int8", "float32")
_FLOAT: Final[tuple[TensorType, ...]] = ("float32",)


@dataclass(frozen=True, slots=True)
class Form:
    """One way to store and compute a network.

    Args:
        name: As the command line says it.
        cost: What whoever chooses it pays, in one sentence.
        tensor_types: What its input and its output may be, the usual one first.
        is_integer: Whether everything between input and output is computed in 8-bit integers.
        is_calibrated: Whether it needs pictures to take ranges from.
    """

    name: FormName
    cost: str
    tensor_types: tuple[TensorType, ...]
    is_integer: bool = False
    is_calibrated: bool = False


# Figures: EfficientNet-Lite0 at 224x224, one thread, x86-64 (benchmarks/convert.py).
FORMS: Final[dict[FormName, Form]] = {
    form.name: form
    for form in (
        Form(
            "int8",
            "weights and activations of 8 bits: the smallest and fastest form, and the only one"
            " that an Edge TPU or a microcontroller takes; rounding may cost accuracy, which is"
            " measured",
            _ANY,
            is_integer=True,
            is_calibrated=True,
        ),
        Form(
            "float32",
            "nothing is rounded: four times the size of int8, and about twice its time",
            _FLOAT,
        ),
        Form(
            "float16",
            "weights of 16 bits, computed as float32: half the size of float32, at its speed",
            _FLOAT,
        ),
        Form(
            "dynamic",
            "weights of 8 bits, activations quantized anew for every picture: the size of int8,"
            " but slower than float32 (EfficientNet-Lite0 2.5 times)",
            _FLOAT,
        ),
        Form(
            "per-tensor",
            "int8 with one scale for all channels of a layer, for old compilers: networks with"
            " depthwise convolutions lose points (EfficientNet-Lite0 7)",
            _ANY,
            is_integer=True,
            is_calibrated=True,
        ),
        Form(
            "int16x8",
            "activations of 16 bits: hardly any rounding, but plain kernels, some 90 times"
            " slower than int8's, and not for every layer",
            _FLOAT,
            is_calibrated=True,
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Target:
    """What shall be made: a form, and the types of its image and of its scores.

    Args:
        form: A key of `FORMS`.
        input_type: Empty for the form's usual one.
        output_type: The same.

    Raises:
        InvalidValueError: The form is unknown, or cannot have these types.
    """

    form: FormName = "int8"
    input_type: TensorType | Literal[""] = ""
    output_type: TensorType | Literal[""] = ""

    def __post_init__(self) -> None:
        if self.form not in FORMS:
            raise InvalidValueError(
                f"there is no form {self.form!r}, wanted one of {', '.join(FORMS)}",
                hint="int8 is the one for boards",
            )
        types = FORMS[self.form].tensor_types
        for what, given in (("input", self.input_type), ("output", self.output_type)):
            if given and given not in types:
                raise InvalidValueError(
                    f"the {what} of the form {self.form} cannot be {given!r},"
                    f" wanted {' or '.join(types)}",
                    hint=f"--form int8 takes {', '.join(get_args(TensorType))}",
                )
        object.__setattr__(self, "input_type", self.input_type or types[0])
        object.__setattr__(self, "output_type", self.output_type or types[0])

    @property
    def is_integer(self) -> bool:
        """Whether everything between input and output is computed in 8-bit integers."""
        return FORMS[self.form].is_integer

    @property
    def is_calibrated(self) -> bool:
        """Whether it needs pictures to take ranges from."""
        return FORMS[self.form].is_calibrated

    @property
    def cost(self) -> str:
        """What the form costs, and what its types do where they are not the usual ones."""
        return FORMS[self.form].cost


INT8: Final = Target()
