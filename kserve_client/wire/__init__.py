"""The only places where bytes become tensors and back: JSON here, binary beside it later."""
