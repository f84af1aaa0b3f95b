"""The models of the demo: how they are trained, and the models file that describes them."""
