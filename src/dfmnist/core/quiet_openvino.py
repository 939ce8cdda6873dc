"""OpenVINO, imported in the only way in which it reports nothing over the network.

At its import, `openvino.tools.ovc` starts a process that reports the import to OpenVINO's makers,
unless the user has declined in a file of their home folder. It does so through the package
`openvino_telemetry`, which comes with OpenVINO; where that cannot be imported, a part of OpenVINO
that sends nothing takes its place (`openvino/tools/ovc/telemetry_stub.py`). So that package is
barred before OpenVINO is imported. Nothing else in `dfmnist` imports OpenVINO.
"""

import sys

if "openvino" not in sys.modules:
    # With None there, `import openvino_telemetry` raises ImportError.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino

__all__ = ["openvino"]
