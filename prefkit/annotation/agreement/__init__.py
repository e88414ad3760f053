"""How alike annotators answer, how each one answers, and what they contradict each other on."""
