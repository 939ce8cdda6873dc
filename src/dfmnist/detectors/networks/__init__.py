"""The detectors' networks: `names` is plain data without torch, `builders.build` makes one."""
