"""`python -m dfmnist`."""

from dfmnist.cli import main

main()
