"""Training of motion models: data, losses, recipes."""
