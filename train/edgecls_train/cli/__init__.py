"""The commands of training: one file each; each parses, calls one function, and prints."""
