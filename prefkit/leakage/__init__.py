"""What of evaluation sets, and of a set's own test split, stands in the training data."""
