"""Measurement of the motion model against ground truth: `docs/ANIMATOR.md`."""
