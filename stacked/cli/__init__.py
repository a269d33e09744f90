"""The command `stacked`: one file for each group of verbs."""

from stacked.cli.cache import app as cache_app
from stacked.cli.guard import new_app

app = new_app("Greedy layer-wise stacked pretraining.")
app.add_typer(cache_app, name="cache")


def main() -> None:
    """Run the command with the arguments of this process."""
    app()
