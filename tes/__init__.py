"""Runs tasks where the data is (GA4GH TES 1.1)."""
