"""Texts that mean the same, and texts unlike all others, by their embeddings."""
