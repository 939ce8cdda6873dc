"""Making a dataset from footage: select, crop, animate, screen, compress (paper, Figure 8)."""
