"""Presentation attacks that need no network: still and moved photos, affine and mesh warps."""
