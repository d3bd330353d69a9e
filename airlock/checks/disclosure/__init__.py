"""One disclosure check a file."""
