"""What makes a draft worth trusting: checks of its facts, a second model's word, a confidence."""
