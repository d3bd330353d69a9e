"""Reads hostile bytes into typed models, writes those models as our own bytes (threats.md T13)."""
