"""The page in the browser: detect, check liveness, animate, and look through a dataset."""
