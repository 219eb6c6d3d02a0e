"""Files, network, screen and libraries: nothing about images."""
