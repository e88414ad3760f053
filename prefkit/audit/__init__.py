"""What a data set is like, and what a model would learn from it besides what was meant."""
