"""People review and rank: the Argilla server, what is pushed to it, what comes back."""
