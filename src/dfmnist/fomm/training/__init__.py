"""Training of the motion model: the published recipes, and the shipped model on actors."""
