"""All layouts by their names on the command line."""

from pathlib import Path

from dfmnist.core.errors import InputError
from dfmnist.dataset.layouts import (
    adfes,
    celeb_df,
    deeperforensics,
    df40,
    dfdc,
    faceforensics,
    folder,
    forgerynet,
    released,
    uadfv,
    voxceleb1,
)
from dfmnist.dataset.layouts.base import Layout

LAYOUTS: dict[str, Layout] = {
    layout.kind: layout
    for layout in (
        folder.FOLDER, released.LAYOUT, voxceleb1.LAYOUT, adfes.LAYOUT, faceforensics.LAYOUT,
        celeb_df.V1, celeb_df.V2, dfdc.LAYOUT, deeperforensics.LAYOUT, uadfv.LAYOUT,
        forgerynet.LAYOUT, df40.LAYOUT,
    )
}  # fmt: skip
"""Layouts by name. A plain folder is the first; the others are tried before it when a folder is
not what it was said to be."""
KINDS = tuple(LAYOUTS)
"""Names of all layouts."""
OTHERS = tuple(layout for layout in LAYOUTS.values() if layout is not folder.FOLDER)
"""Layouts of known datasets, with which a wrong folder is compared."""


def layout_of(kind: str, root: Path, identity: str = "name") -> Layout:
    """The layout of a name; `identity` is `name`, `folder` or the path of a CSV, for plain folders.

    Raises `InputError` for a rule of identity where the dataset names its people itself.
    """
    if kind != folder.FOLDER.kind:
        if identity != "name":
            raise InputError(f"--identity {identity}: {kind} names its people; expected no rule")
        return LAYOUTS[kind]
    if not folder.looks_like(root):
        return folder.FOLDER
    if identity == "name":
        return folder.layout(root)
    if identity == "folder":
        return folder.layout(root, "folder")
    if not Path(identity).is_file():
        raise InputError(f"--identity {identity}: no such file; expected name, folder or a CSV")
    return folder.layout(root, table=Path(identity))
