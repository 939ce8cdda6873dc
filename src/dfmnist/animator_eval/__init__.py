"""Evaluation of the motion model against ground truth; see `docs/ANIMATOR.md`."""
