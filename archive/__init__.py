"""The data at rest: datasets, their sealed files, and the only holder of long-lived keys."""
