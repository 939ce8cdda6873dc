"""The report: a page of a dataset and its results, in a folder that needs nothing else."""
