"""Liveness detectors: does a clip show the requested action, and does it show a live face?"""
