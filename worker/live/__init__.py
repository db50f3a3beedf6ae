"""The live service: the shells that hold the wall clock and the processes."""
