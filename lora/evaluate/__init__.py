"""How good a model is: what it makes of drawings that it has never seen."""
