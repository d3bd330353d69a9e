"""The places that bodies can be kept in."""
