"""The detector that ships with the package: a finished run, trained on synthetic actors.

It is what `dfmnist detect` uses without a run of one's own, and `--weights actors` starts a
training from it. `docs/DETECTORS.md` says what it can and cannot tell.
"""

from pathlib import Path

NAME = "actors"
"""The word for this detector in the setting `weights`."""
NETWORK = "efficientnet_lite0"
"""The network of this detector."""
FOLDER = Path(__file__).parent / "weights" / NAME
"""The run's folder: config.json, run.json and weights.safetensors in float16."""
WORDS = "the shipped detector, trained on synthetic actors"
"""The detector in words, for records and tables."""
