"""Animation with a trained motion model."""
