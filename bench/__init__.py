"""What the program measures about itself."""
