"""Measures what the walls, the ciphers and the decrypted view cost, against what others have."""
