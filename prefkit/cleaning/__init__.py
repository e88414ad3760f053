"""Which examples stay, and which split they belong to."""
