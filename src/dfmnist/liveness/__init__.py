"""Liveness detectors under test: did this clip do the action, and is it a live face?"""
