"""The main job on real data, told as a story that anyone can run."""
