"""The application: the command line and what only it needs. It may import every other part; none imports it."""
