"""Judges one file inside a jail of its own; needs nothing but Python's own library and Pillow."""
