"""Synthetic people: who they are, what they perform, and how they are filmed, all from seeds."""
