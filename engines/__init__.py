"""How the units of a frame (encode, embed, denoise, decode) run on the hardware that is there."""
