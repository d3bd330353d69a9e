"""Accepts runs of vetted workflows (GA4GH WES 1.1)."""
