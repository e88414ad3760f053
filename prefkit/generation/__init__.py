"""From documents to grounded examples, and from examples to candidate completions."""
