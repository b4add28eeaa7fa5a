"""What happens to the model's quote before it is rounded: steps in a fixed order, each with a switch of its own."""
