"""The place of the suite for backends where attempts are pods of a real Kubernetes cluster."""

from pods_place import open_place

__all__ = ["open_place"]
