"""Detectors: networks, training straight from the clips, scores as Parquet, metrics, CAM."""
