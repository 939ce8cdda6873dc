"""Where a training runs: on which device, and over how many. Importing this loads no torch."""

from dataclasses import dataclass
from typing import Any, get_args

from dfmnist.core.choices import DeviceName
from dfmnist.core.errors import InputError


@dataclass(frozen=True)
class Devices:
    """Devices of a training; several train as one (DistributedDataParallel)."""

    device: DeviceName = "auto"
    """Kind of device: cpu, gpu, or auto, which takes a GPU if there is one."""
    devices: int = 1
    """Number of GPUs on each node, or of processes on a CPU; they train as one."""
    nodes: int = 1
    """Number of machines; they train as one."""

    def __post_init__(self) -> None:
        if self.device not in get_args(DeviceName):
            known = ", ".join(get_args(DeviceName))
            raise InputError(f"--device {self.device}; expected one of {known}")
        for flag, value in (("--devices", self.devices), ("--nodes", self.nodes)):
            if value < 1:
                raise InputError(f"{flag} {value}; expected 1 or more")
        if self.uses_gpu:
            import torch

            count = torch.cuda.device_count()
            if self.devices > count:
                raise InputError(f"--devices {self.devices}; this machine has {count} GPUs")

    @property
    def uses_gpu(self) -> bool:
        """True if the training runs on GPUs."""
        if self.device == "auto":
            import torch

            return torch.cuda.is_available()
        return self.device == "gpu"

    @property
    def world(self) -> int:
        """Number of processes, over all nodes."""
        return self.devices * self.nodes

    def options(self) -> dict[str, Any]:
        """The options of Lightning's trainer for these devices."""
        return {
            "accelerator": "gpu" if self.uses_gpu else "cpu",
            "devices": self.devices,
            "num_nodes": self.nodes,
            "use_distributed_sampler": False,
            # torch has it for GPUs only
            "sync_batchnorm": self.world > 1 and self.uses_gpu,
        }
