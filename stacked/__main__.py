"""`python -m stacked`: the command, where its script is not on the path."""

from stacked.cli import main

main()
