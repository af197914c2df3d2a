"""The commands of the command line, one module each. What takes long to import is imported when a command runs."""
