"""Networks of the motion model and of its training."""
