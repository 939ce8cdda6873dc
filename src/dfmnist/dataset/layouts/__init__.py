"""Layouts of public datasets on disk: one file each, with a function that yields its clips."""
