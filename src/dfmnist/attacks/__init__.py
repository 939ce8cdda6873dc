"""Presentation attacks that need no network: photographs, warped meshes, affine warps."""
