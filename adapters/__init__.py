"""What steers a frame: preprocessors that turn a drawing into a condition image."""
