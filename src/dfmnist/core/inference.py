"""Networks compiled by OpenVINO for a CPU, and the choice between OpenVINO and torch."""

import contextlib
import logging
import os
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from dfmnist.core.choices import BackendName, Precision
from dfmnist.core.errors import InputError

Arrays = list[npt.NDArray[Any]]
log = logging.getLogger(__name__)
AMX_FLAG = "amx_bf16"
QUEUED = 2
"""Batches queued for a stream: one runs, one waits, so that no stream idles in between."""


@dataclass(frozen=True)
class BackendChoice:
    """Library, device and precision with which a network runs."""

    backend: Literal["openvino", "torch"]
    device: torch.device
    bfloat16: bool

    @property
    def precision(self) -> Literal["f32", "bf16"]:
        """Name of the precision."""
        return "bf16" if self.bfloat16 else "f32"


def choose(backend: str = "auto", precision: str = "auto") -> BackendChoice:
    """Choose how a network runs; `auto` takes torch on a GPU and OpenVINO on a CPU.

    `auto` precision is bfloat16 on a GPU that has it and on a CPU with AMX, else float32: without
    AMX it gains too little to give up digits. Raises `InputError` for another name, and for
    bfloat16 where OpenVINO does not have it.
    """
    for flag, value, known in (
        ("--backend", backend, get_args(BackendName)),
        ("--precision", precision, get_args(Precision)),
    ):
        if value not in known:
            raise InputError(f"{flag} is '{value}'; expected one of {', '.join(known)}")
    gpu = torch.cuda.is_available()
    device = torch.device("cuda" if gpu and backend != "openvino" else "cpu")
    uses_torch = backend == "torch" or device.type == "cuda"
    if precision != "auto":
        bfloat16 = precision == "bf16"
    elif device.type == "cuda":
        bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        bfloat16 = has_amx()
    if bfloat16 and not uses_torch and not openvino_has_bf16():
        raise InputError(
            "--precision bf16: OpenVINO has no bfloat16 on this processor; expected f32"
        )
    chosen = BackendChoice("torch" if uses_torch else "openvino", device, bfloat16)
    log.debug("networks run in %s on %s, %s", chosen.backend, device.type, chosen.precision)
    return chosen


def has_amx() -> bool:
    """True if the CPU multiplies bfloat16 matrices in hardware (AMX); known on Linux only.

    False if `ONEDNN_MAX_CPU_ISA` keeps oneDNN, which both backends use, from using AMX.
    """
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper()
    if limit not in ("", "ALL", "DEFAULT") and "AMX" not in limit:
        return False
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.is_file() and AMX_FLAG in cpuinfo.read_text(encoding="utf-8")


def openvino_has_bf16() -> bool:
    """True if OpenVINO runs bfloat16 on this CPU: most CPUs with AVX-512 or AMX."""
    from dfmnist.core.quiet_openvino import openvino

    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


class Compiled:
    """A torch module compiled for fixed shapes, which takes and returns NumPy arrays.

    `example` holds a tensor for each input, of the shape and type to compile for. `many` runs
    `streams` calls at a time, which share torch's number of threads.
    """

    def __init__(
        self, module: nn.Module, example: list[Tensor], bfloat16: bool, streams: int = 1
    ) -> None:
        from dfmnist.core.quiet_openvino import openvino  # before all others of openvino

        from openvino.frontend import FrontEndManager  # isort: skip
        from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder  # isort: skip

        with torch.no_grad(), _quiet():
            traced = torch.jit.trace(module, tuple(example), check_trace=False)  # type: ignore[no-untyped-call]
            # not `openvino.convert_model`, which would also report the conversion
            decoder = TorchScriptPythonDecoder(traced, example_input=tuple(example))
            frontend = FrontEndManager().load_by_framework("pytorch")
            model = frontend.convert(frontend.load(decoder))
        for port, tensor in zip(model.inputs, example, strict=True):
            port.get_node().set_partial_shape(openvino.PartialShape(list(tensor.shape)))
        model.validate_nodes_and_infer_types()
        options: dict[str, Any] = {
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "INFERENCE_PRECISION_HINT": "bf16" if bfloat16 else "f32",
            "NUM_STREAMS": streams,
            # left on, every process ties its one thread to the first core
            "ENABLE_CPU_PINNING": False,
            "CPU_DENORMALS_OPTIMIZATION": True,
        }
        compiled = openvino.Core().compile_model(model, "CPU", options)
        count = 1 if streams == 1 else QUEUED * streams
        self._requests = [compiled.create_infer_request() for _ in range(count)]
        self._outputs = len(model.outputs)

    def __call__(self, arrays: Arrays) -> Arrays:
        request = self._requests[0]
        request.infer([np.ascontiguousarray(a) for a in arrays], share_inputs=True)
        return self._taken(request)

    def many(self, calls: Iterable[Arrays]) -> Iterator[Arrays]:
        """Yield the outputs of each call in order; later calls are read while earlier ones run."""
        free, running = deque(self._requests), deque[tuple[Any, Arrays]]()
        try:
            for arrays in calls:
                if not free:
                    free.append(running[0][0])
                    yield self._finish(running)
                request = free.popleft()
                held = [np.ascontiguousarray(a) for a in arrays]  # shared, so kept until the end
                request.start_async(held, share_inputs=True)
                running.append((request, held))
            while running:
                yield self._finish(running)
        finally:
            for request, _ in running:  # the consumer may stop early; no request runs on
                request.wait()

    def _finish(self, running: deque[tuple[Any, Arrays]]) -> Arrays:
        request, _ = running[0]
        request.wait()
        outputs = self._taken(request)
        running.popleft()
        return outputs

    def _taken(self, request: Any) -> Arrays:
        """Copies of the outputs: the next call writes into the request's own arrays."""
        outputs = (request.get_output_tensor(i).data for i in range(self._outputs))
        return [np.array(data) for data in outputs]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hide the tracer's warnings about sizes that are constant here, and of its deprecation."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
