"""What stands behind the figures: data, environment, settings, and how to do it again."""

from stacked.report.contents import Contents
from stacked.report.html import Html, element
from stacked.report.trees import facts_list, settings_tree


def data(contents: Contents) -> Html | None:
    """Where the rows come from, and what they are."""
    return facts_list(contents.data) if contents.data else None


def environment(contents: Contents) -> Html | None:
    """Versions, machine and time."""
    return facts_list(contents.environment) if contents.environment else None


def settings(contents: Contents) -> Html | None:
    """All settings; closed at first, for they are long."""
    if not contents.settings:
        return None
    tree = element("div", settings_tree(contents.settings), class_="tree")
    return element("details", element("summary", "All settings"), tree)


def repeat(contents: Contents) -> Html | None:
    """The command."""
    return _program(contents.repeat)


def use(contents: Contents) -> Html | None:
    """The program."""
    return _program(contents.use)


def _program(text: str) -> Html | None:
    return element("pre", element("code", text), tabindex=0) if text else None
