"""Personal data and secrets: found by pattern, proven by check digit, never shown."""

from prefkit.cleaning.rules.private.find import (
    Private,
    personal_data,
    personal_in,
    secret,
    secrets_in,
    unmasked,
)

__all__ = ["Private", "personal_data", "personal_in", "secret", "secrets_in", "unmasked"]
