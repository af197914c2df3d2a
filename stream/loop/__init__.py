"""The loop: a picture and its condition go through the stream batch and come out finished."""
