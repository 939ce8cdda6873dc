"""The values of options that several rooms share, as types. Imports no torch and no numpy."""

from enum import StrEnum
from typing import Literal, get_args


class Quality(StrEnum):
    """The compression levels of the dataset (section 4.1): libx264 constant rate factors."""

    RAW = "raw"
    C23 = "c23"
    C40 = "c40"

    @property
    def crf(self) -> int:
        """Constant rate factor. `raw` is 18, visually lossless, so that it plays everywhere."""
        return {"raw": 18, "c23": 23, "c40": 40}[self.value]


class Attack(StrEnum):
    """Types of attack on a liveness detector (attack instrument species)."""

    ANIMATION = "animation"
    """A dataset's fakes: one photo animated by a motion model."""
    MESH_WARP = "mesh_warp"
    AFFINE_WARP = "affine_warp"
    PRINT = "print"
    REPLAY = "replay"
    STILL = "still"
    PAINTED_LIDS = "painted_lids"
    """One photo, with lids painted over its eyes now and then."""


ATTACK_TITLES: dict[Attack, str] = {
    Attack.ANIMATION: "First-order animation",
    Attack.MESH_WARP: "Mesh warp",
    Attack.AFFINE_WARP: "Affine warp",
    Attack.PRINT: "Print",
    Attack.REPLAY: "Replay",
    Attack.STILL: "Repeated still",
    Attack.PAINTED_LIDS: "Still with painted lids",
}
"""Names of the types of attack in tables."""
QualityName = Literal["raw", "c23", "c40"]
"""The value of a `Quality`, for configs and command lines."""
QUALITIES: tuple[QualityName, ...] = get_args(QualityName)
"""The compression levels' names, from the best quality to the worst."""
Split = Literal["train", "validation", "test"]
"""Part of a dataset."""
SPLITS: tuple[Split, ...] = get_args(Split)
"""The parts of a dataset, in order."""
Motion = Literal["auto", "relative", "absolute", "relative_scaled", "guided"]
"""How a driver's keypoints move a source: by their change since the first frame, to their own
positions, by their change in the scale of the source's face, or by that and guided by the face
mesh. `auto` is guided with a model that was taught named points, as the shipped one, if the mesh
finds both faces, else relative."""
Precision = Literal["auto", "f32", "bf16"]
"""Number format of a network's arithmetic; `auto` takes bfloat16 where it is known to be fast."""
BackendName = Literal["auto", "openvino", "torch"]
"""Library that runs a trained network; `auto` is torch on a GPU and OpenVINO on a CPU."""
DeviceName = Literal["auto", "cpu", "gpu"]
"""Where a training runs; `auto` takes a GPU if there is one."""
Positive = Literal["fake", "real"]
"""The class of which a high score of somebody else's detector speaks."""
ScoreScale = Literal["probability", "logit"]
"""The unit of scores: from 0 to 1, or the logarithm of the odds."""
PersonRule = Literal["file", "folder"]
"""Who is who in a folder of footage: one person in each file, or in each subfolder."""
DriverProtocol = Literal["disjoint", "shared"]
"""Whether each split has drivers of its own, or every driver serves every split."""
ScreenRule = Literal["all", "paper"]
"""Which liveness detectors decide whether a clip is kept. `all`: the action-specific and the
universal one, for all ten actions. `paper`: both for blink, yaw, nod and open mouth, the universal
one alone for the other six."""
DatasetKind = Literal[
    "folder", "deepfake-mnist-plus", "voxceleb1", "adfes", "faceforensics", "celeb-df-v1",
    "celeb-df-v2", "dfdc", "deeperforensics", "uadfv", "forgerynet", "df40",
]  # fmt: skip
"""How a dataset that somebody else made lies on disk; `folder` has subfolders real and fake."""
SplitRule = Literal["identity", "paper", "official"]
"""How splits are made. `identity`: nobody, seen or driving, is in two of them. `paper`: 70, 15 and
15 percent of the clips of each action. `official`: as the makers of the dataset published them."""
EngineName = Literal["local", "ray"]
"""What runs jobs. `local`: processes of this machine. `ray`: actors on a cluster, or on this
machine; needs the extra `dfmnist[ray]`."""
