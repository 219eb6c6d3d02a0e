"""Where the weights of a network come from, and those that ship with the package."""
