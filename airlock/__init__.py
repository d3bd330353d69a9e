"""The only way out: contracts, checks, two-person review and release."""
