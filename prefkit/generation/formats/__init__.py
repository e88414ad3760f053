"""One reader a file format; each turns a file's bytes into blocks of Markdown-like text."""
