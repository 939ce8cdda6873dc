"""The dataset on disk: its manifest, splits, audit, card and counts."""
