"""The report: one self-contained folder that tells what was made, measured and found."""
