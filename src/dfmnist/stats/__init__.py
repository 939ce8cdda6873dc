"""Statistics of detectors: metrics, intervals, tests, presentation-attack error rates."""
