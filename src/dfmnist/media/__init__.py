"""Video and pictures in and out. Only this room imports the codec library."""
