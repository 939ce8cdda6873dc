"""Faces in pictures: detection (MTCNN), mesh and iris (OpenVINO), pose and signals, crops."""
