"""The paper's tables and figures, drawn from a dataset and its scores, beside what it printed."""
