"""What edgetpu_compiler prints, in the form that its users published."""

from __future__ import annotations

_HEAD = """Edge TPU Compiler version 16.0.384591198
Started a compilation timeout timer of 180 seconds.

Model compiled successfully in 577 ms.

Input model: model.tflite
Input size: 8.58MiB
Output model: model_edgetpu.tflite
Output size: 8.70MiB
"""
_TAIL = """Compilation child process completed within timeout period.
Compilation succeeded!
"""
_PARTLY = """
Model successfully compiled but not all operations are supported by the Edge TPU. A percentage of \
the model will instead run on the CPU, which is slower. If possible, consider updating your model \
to use only operations supported by the Edge TPU. For details, visit g.co/coral/model-reqs.
"""

# The tiny model's own operators: RESHAPE, FULLY_CONNECTED, SOFTMAX.
SUCCESS = (
    _HEAD
    + """On-chip memory used for caching model parameters: 6.08MiB
On-chip memory remaining for caching model parameters: 1.25KiB
Off-chip memory used for streaming uncached model parameters: 0.00B
Number of Edge TPU subgraphs: 1
Total number of operations: 3
Operation log: model_edgetpu.log

Operator                       Count      Status

RESHAPE                        1          Mapped to Edge TPU
FULLY_CONNECTED                1          Mapped to Edge TPU
SOFTMAX                        1          Mapped to Edge TPU
"""
    + _TAIL
)
EVERY_STATUS = (
    _HEAD
    + """On-chip memory used for caching model parameters: 3.00KiB
On-chip memory remaining for caching model parameters: 7.67MiB
Off-chip memory used for streaming uncached model parameters: 15.06MiB
Number of Edge TPU subgraphs: 1
Total number of operations: 36
Operation log: model_edgetpu.log
"""
    + _PARTLY
    + """Number of operations that will run on Edge TPU: 2
Number of operations that will run on CPU: 34

Operator                       Count      Status

MAX_POOL_2D                    6          More than one subgraph is not supported
QUANTIZE                       2          Operation is otherwise supported, but not mapped due to \
some unspecified limitation
QUANTIZE                       1          Mapped to Edge TPU
CONV_2D                        1          Mapped to Edge TPU
CONV_2D                        13         More than one subgraph is not supported
RESIZE_NEAREST_NEIGHBOR        1          Operation version not supported
LEAKY_RELU                     11         Operation not supported
CUSTOM                         1          Operation is working on an unsupported data type
"""
    + _TAIL
)
PARTIAL = (
    _HEAD
    + """On-chip memory used for caching model parameters: 4.00KiB
Off-chip memory used for streaming uncached model parameters: 0.00B
Number of Edge TPU subgraphs: 1
Total number of operations: 3
"""
    + _PARTLY
    + """Operator                       Count      Status

RESHAPE                        1          Mapped to Edge TPU
FULLY_CONNECTED                1          Mapped to Edge TPU
SOFTMAX                        1          Operation is otherwise supported, but not mapped due to \
some unspecified limitation
"""
    + _TAIL
)
SEVERAL = SUCCESS.replace("subgraphs: 1", "subgraphs: 3")

_START = "Edge TPU Compiler version 16.0.384591198\nStarted a compilation timeout timer of 180 s.\n"
_END = "Compilation child process completed within timeout period.\nCompilation failed!\n"
UNKNOWN_OPERATOR = (
    "Edge TPU Compiler version 16.0.384591198\n"
    "ERROR: Didn't find op for builtin opcode 'EXP' version '2'. An older version of this builtin"
    " might be supported. Are you using an old TFLite binary with a newer model?\n\n"
    "ERROR: Registration failed.\n\nInvalid model: model.tflite\nModel could not be parsed\n"
)
NOT_QUANTIZED = _START + "Invalid model: model.tflite\nModel not quantized\n"
INTERNAL = "Edge TPU Compiler version 15.0.340273435\n\nInternal compiler error. Aborting!\n"
CUSTOM_OPERATOR = (
    _START + "ERROR: Encountered unresolved custom op: Atan.\nERROR: Node number 1 (Atan) failed to"
    " prepare.\n\nCompilation failed: Model failed in Tflite interpreter. Please ensure model can"
    " be loaded/run in Tflite interpreter.\n" + _END
)
LARGE = (
    _START + "Compilation failed: Compilation failed due to large activation tensors in model.\n"
)
DYNAMIC = (
    _START
    + "ERROR: Attempting to use a delegate that only supports static-sized tensors with a graph"
    " that has dynamic-sized tensors.\n" + _END
)
UNREADABLE = _START + "Invalid model: model.tflite\nModel could not be parsed\n"
UNKNOWN_FAILURE = _START + _END
