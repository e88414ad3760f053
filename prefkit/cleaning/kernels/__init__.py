"""Loops over text and hashes, compiled by numba: they read Arrow buffers and hold no GIL."""
