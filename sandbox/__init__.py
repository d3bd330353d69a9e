"""Runs one task attempt on a node, inside walls; imports no other room."""
