"""One fit: its rows, what it sees of the images, its order, its phases and its checkpoints.

Nothing here imports Keras at the top of a file.
"""
