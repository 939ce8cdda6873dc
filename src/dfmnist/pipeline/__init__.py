"""From footage to a dataset: select, crop, animate, screen, compress (paper, Figure 8)."""
