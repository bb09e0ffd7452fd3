"""The draw protocol's model (draw.pml), checked in every order in which things can happen."""
