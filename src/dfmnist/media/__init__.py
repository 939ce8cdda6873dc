"""Reading and writing of videos and pictures. Only this room imports the codec library."""
