"""Readers that lean on another package; each is named with `--reader`."""
