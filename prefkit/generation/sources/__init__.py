"""Where documents come from: folders, files, patterns, and pages of the web when asked."""
